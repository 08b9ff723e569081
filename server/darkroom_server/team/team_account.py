"""A gateway account of a team, as the work asks about it: whose key it is, the tables say."""

from darkroom.journal import Intent
from darkroom.work.accounts import Account


class TeamAccount(Account):
    """`id` is that of its row among the gateway accounts; a new key leaves it as it is.

    `look_every_s`: so many seconds at least lie between two looks at a prediction, where the gateway tells of ends by
    itself and looks are only for what it forgets.
    """

    look_every_s = 0.0

    async def is_here(self) -> None:
        """It is as long as its row is there."""

    async def owns(self, intent: Intent) -> bool:
        return intent.account == self.id

    async def away(self) -> frozenset[str]:
        return frozenset()

    async def learn_name(self) -> None:
        """Its row names it."""
