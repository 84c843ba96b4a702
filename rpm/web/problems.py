"""What keeps a page from being shown, named for whoever must act on it.

NotSignedIn   nobody is signed in: sign in
Forbidden     the page is for other roles
ForeignForm   the form is not one of this session's: load the page again
BadInput      something typed cannot be used; the text says what to do
NotFound      no such thing, or another practice's
"""

from rpm.access import Role


class NotSignedIn(Exception):
    """Nobody is signed in."""


class Forbidden(Exception):
    """The page is for other roles."""

    def __init__(self, roles: tuple[Role, ...]) -> None:
        super().__init__("wrong role")
        self.roles = roles


class ForeignForm(Exception):
    """A form that did not come from a page of this session."""


class BadInput(Exception):
    """Something a person typed cannot be used. Its text tells him what to do, and never repeats what he typed."""


class NotFound(Exception):
    """There is no such thing, or it is another practice's: the answer is the same."""
