"""The front door as a process: routes, identity, limits, balancing, one admin page.

Guide: chapter 1, "API Gateway 패턴", and chapter 3, "Nginx 로드 밸런싱 설정".
"""
