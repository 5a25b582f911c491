"""The alphabet of HTTP/1.1 as regular expressions.

Every repetition is possessive: nothing that a peer sends makes a pattern try twice.

Source: RFC 9110 section 5.5 (field values) and 5.6 (tokens, quoted strings); RFC 9112 section 3.2
and RFC 3986 section 3 (targets), with what the URL standard of the browsers leaves unescaped.
"""

import re

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
VALUE = rb"[\t\x20-\x7e\x80-\xff]*+"
PATH = rb"/[!$-;=@-\[\]-~]*+"  # no control, space or other script, and none of "#<>?\
QUERY = rb"(?:\?[!$-;=?-~]*+)?+"
NAME = rb"[0-9A-Za-z._~%\-]++"
LITERAL = rb"\[[0-9A-Fa-f:.]++\]"
AUTHORITY = rb"(" + NAME + rb"|" + LITERAL + rb")(?::([0-9]{0,5}+))?+"
QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*+"'
EXTENSION = (
    rb"[\t ]*+;[\t ]*+" + TOKEN + rb"(?:[\t ]*+=[\t ]*+(?:" + TOKEN + rb"|" + QUOTED + rb"))?+"
)

token = re.compile(TOKEN)
value = re.compile(VALUE)
# `^` holds after each line feed, so as many matches as line feeds means that every line is a field.
field = re.compile(rb"(?m)^(" + TOKEN + rb"):[ \t]*+(" + VALUE + rb")(?<![ \t])\r\n")
padded_field = re.compile(rb"(?m)^(" + TOKEN + rb"):[ \t]*+(" + VALUE + rb")\r\n")
request_line = re.compile(rb"(" + TOKEN + rb") (" + PATH + QUERY + rb") HTTP/1\.([0-9])\r\n")
status_line = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: (" + VALUE + rb"))?+\r\n")
authority = re.compile(AUTHORITY)
absolute_form = re.compile(
    rb"(?i:https?)://(" + AUTHORITY + rb")((?:" + PATH + rb")?+" + QUERY + rb")"
)
chunk_line = re.compile(rb"([0-9A-Fa-f]{1,15}+)((?:" + EXTENSION + rb")*+)\r\n")
