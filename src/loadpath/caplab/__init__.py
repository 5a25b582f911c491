"""The CAP lab: real databases, real cuts, a checker's verdict.

Guide: chapter 2, "CAP 정리 실증 프로젝트" (the CAP theorem, shown).
"""
