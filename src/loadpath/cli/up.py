"""`loadpath up`: run a system until Ctrl-C, with data that stays."""

import asyncio
from typing import Final

from platformdirs import user_data_path

from loadpath.cli.entry import asked
from loadpath.cli.interruptible import run_interruptible
from loadpath.cli.output import console_for
from loadpath.cli.places import binaries as from_where
from loadpath.cli.places import folder
from loadpath.systems.timeline.up import UpPlan, up

FOLDER: Final = "timeline"


def timeline(
    *,
    port: int = 8000,
    data: str | None = None,
    postgres: str | None = None,
    apis: int = 2,
    binaries: str = "wheel",
) -> None:
    """Run the Twitter-like system until Ctrl-C; posts are there again at the next start.

    Args:
        port: Port of the page and the API.
        data: Folder of the data; one below the user's data folder when left out.
        postgres: DSN of a PostgreSQL that runs already; starts one when left out.
        apis: HTTP processes behind the gateway, about one a core.
        binaries: Where PostgreSQL is, unless one runs already: wheel, system, or its folder.
    """
    with asked():
        plan = UpPlan(
            data=user_data_path("loadpath") / FOLDER
            if data is None
            else folder(data, option="--data"),
            postgres=postgres,
            port=port,
            apis=apis,
            binaries=from_where(binaries),
        )
    run_interruptible(_run(plan))


async def _run(plan: UpPlan) -> None:
    console = console_for(json=False)
    console.print(f"starting in {plan.data}", markup=False, soft_wrap=True)
    async with up(plan) as service:
        if service.record is not None:
            console.print(str(service.record.facts), markup=False, soft_wrap=True)
        console.print(f"The page is open at {service.url} until Ctrl-C.", soft_wrap=True)
        console.print(
            f"The gateway before it is looked after at http://127.0.0.1:{service.admin}.",
            soft_wrap=True,
        )
        console.print(
            "Load it before anybody signs up (afterwards a load is refused: use another --data):\n"
            f"  loadpath load timeline --url {service.url} "
            f"--postgres '{service.settings.postgres}'",
            markup=False,
            soft_wrap=True,
        )
        await asyncio.Event().wait()
