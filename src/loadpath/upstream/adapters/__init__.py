"""The call path behind other clients' seams: httpx, httpx2, aiohttp."""
