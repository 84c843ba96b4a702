"""Somebody who visits the pages without a browser: keeps cookies, sends our forms with their token, follows nothing."""

import re

import httpx

from tests.support.clinic import PASSWORD
from tests.support.website import Website

_TOKEN = re.compile(r'data-csrf="([^"]+)"')


class Visitor:
    """One person at one browser. `token` is the form token of the last whole page."""

    def __init__(self, website: Website, *, origin: str = "") -> None:
        self.origin = origin or website.url
        self.http = httpx.Client(base_url=website.url, follow_redirects=False, timeout=20)
        self.token = ""

    def sign_in(self, username: str, password: str = PASSWORD) -> "Visitor":
        """Sign in and open the first page."""
        answer = self.post("/login", username=username, password=password)
        assert answer.status_code == httpx.codes.SEE_OTHER, answer.text
        self.page(self.get("/").headers["location"])
        return self

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask for a page."""
        return self.http.get(path, headers=headers)

    def page(self, path: str) -> str:
        """A whole page that must be there; its form token is kept."""
        answer = self.get(path)
        assert answer.status_code == httpx.codes.OK, f"{path}: {answer.status_code}"
        found = _TOKEN.search(answer.text)
        self.token = found.group(1) if found else self.token
        return answer.text

    def post(self, path: str, *, token: str | None = None, origin: str | None = None, **fields: str) -> httpx.Response:
        """Send a form of ours. Another `token` or `origin`: a form that is not ours."""
        data = {"csrf": self.token if token is None else token, **fields}
        return self.http.post(path, data=data, headers={"Origin": origin or self.origin})

    def swap(self, path: str, **fields: str) -> httpx.Response:
        """Send a form as htmx does."""
        headers = {"Origin": self.origin, "HX-Request": "true", "X-CSRF-Token": self.token}
        return self.http.post(path, data=fields, headers=headers)
