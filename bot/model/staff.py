"""Who works at the shop: a name, a role, and the visit that a sign-in began."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Role(StrEnum):
    """What a member of staff may do. An agent answers; a lead also sees reports, exports lists and edits canned
    answers; an admin also lets people in and out and reads the audit log."""

    AGENT = "agent"
    LEAD = "lead"
    ADMIN = "admin"

    def may(self, needed: "Role") -> bool:
        """Whether this role includes the needed one."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class Staff(Struct, frozen=True):
    """A member of staff. `name` is what colleagues see and what a conversation's holder is called by.

    `email` is what an OIDC provider vouches for; `signs_in` tells that a password was set.
    """

    id: int
    name: str
    role: Role
    active: bool = True
    email: str = ""
    signs_in: bool = False
    seen_at: datetime | None = None


class Visit(Struct, frozen=True):
    """A signed-in browser. `key` is the hash of its cookie; `secret` binds its forms and file paths to it."""

    key: str
    staff: int
    name: str
    role: Role
    secret: str
