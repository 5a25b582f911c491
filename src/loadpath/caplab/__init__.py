"""CAP, shown: real databases, real cuts, and a checker's verdict on what clients saw.

Guide: chapter 2, "CAP 정리 실증 프로젝트" (the CAP theorem, shown).
"""
