"""As whom a program runs that refuses to be root."""

import os
import pwd
from pathlib import Path

import pytest

from loadpath.local import ServerError
from loadpath.local.identity import Identity, choose_identity, hand_over, launch_command


def account(name: str, uid: int) -> pwd.struct_passwd:
    """Return an account of that name."""
    return pwd.struct_passwd((name, "x", uid, uid + 1, "", "/", "/bin/false"))


ACCOUNTS = [account("root", 0), account("alice", 1000), account("nobody", 65534)]


def choose(
    *,
    euid: int = 0,
    folder_owner: int | None = None,
    accounts: list[pwd.struct_passwd] = ACCOUNTS,
    can_map: bool = True,
) -> Identity | None:
    """Choose with one thing different from a root with user namespaces."""
    return choose_identity(
        euid=euid, folder_owner=folder_owner, accounts=accounts, can_map=lambda _: can_map
    )


def test_an_ordinary_user_stays_itself() -> None:
    """Nothing changes for whoever is not root."""
    assert choose(euid=1000) is None


def test_root_hides_in_a_user_namespace() -> None:
    """Root appears as a harmless account, files stay root's own."""
    assert choose() == Identity(65534, 65535, mapped=True)


def test_root_becomes_another_account_where_namespaces_are_forbidden() -> None:
    """Without user namespaces the program runs as that account outright."""
    assert choose(can_map=False) == Identity(65534, 65535, mapped=False)


def test_a_users_folder_is_run_by_that_user() -> None:
    """Root never takes a data folder away from the user who made it."""
    assert choose(folder_owner=1000) == Identity(1000, 1001, mapped=False)
    assert choose(folder_owner=4321) == Identity(4321, 4321, mapped=False)


def test_postgres_own_account_is_preferred() -> None:
    """An account meant for the server is better than nobody's."""
    accounts = [*ACCOUNTS, account("postgres", 101)]
    assert choose(accounts=accounts) == Identity(101, 102, mapped=True)


def test_any_account_will_do() -> None:
    """Without a fitting name, any account but root is taken."""
    assert choose(accounts=ACCOUNTS[:2]) == Identity(1000, 1001, mapped=True)


def test_a_machine_with_root_only_is_told_apart() -> None:
    """Where there is no other account, the error says what to do."""
    with pytest.raises(ServerError, match="add one"):
        choose(accounts=ACCOUNTS[:1])


def test_the_command_line_tells_the_launcher_everything() -> None:
    """Owner, signal and identity come first, the command last and unchanged."""
    line = launch_command(
        ["/bin/echo", "a b"], owner=42, death_signal=9, identity=Identity(1, 2, mapped=True)
    )
    assert line[-5:] == ["42", "9", "map:1:2", "/bin/echo", "a b"]
    plain = launch_command(["/bin/echo"], owner=42, death_signal=9)
    assert plain[-4:] == ["42", "9", "-", "/bin/echo"]


def test_nothing_is_handed_over_without_need(tmp_path: Path) -> None:
    """Folders stay as they are when the server runs as ourselves or in a namespace."""
    before = tmp_path.stat()
    hand_over(tmp_path, None)
    hand_over(tmp_path, Identity(65534, 65534, mapped=True))
    assert os.path.samestat(before, tmp_path.stat())
    assert tmp_path.stat().st_uid == before.st_uid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands folders over")
def test_everything_in_a_folder_is_handed_over(tmp_path: Path) -> None:
    """The other account owns the folder and what is in it; a link's target stays as it was."""
    target, folder = tmp_path / "target", tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    target.touch()
    (folder / "deep" / "link").symlink_to(target)
    hand_over(folder, Identity(65534, 65533, mapped=False))
    for path in (folder, folder / "deep", folder / "deep" / "link"):
        assert (path.lstat().st_uid, path.lstat().st_gid) == (65534, 65533)
    assert target.stat().st_uid == 0
