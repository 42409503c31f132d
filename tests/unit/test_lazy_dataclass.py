"""Dataclasses that are made late are like those that are made at once."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

import pytest

import provisioner
from provisioner.lazy_dataclass import dataclass
from provisioner.model import Address


@dataclass(frozen=True, order=True)
class Place:
    street: str
    number: int = 1


@dataclass(frozen=True)
class House:
    """With a field of its own, and what is made when it is."""

    rooms: int
    doors: Mapping[str, int] = dataclasses.field(default_factory=dict)
    area: float = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "area", self.rooms * 20.0)


@dataclass
class Counter:
    count: int = 0


LATE = "provisioner.lazy_dataclass"


def is_made(cls: type) -> bool:
    return "__dataclass_fields__" in vars(cls)


def test_it_is_made_with_the_first_instance() -> None:
    @dataclass(frozen=True)
    class Late:
        name: str

    assert not is_made(Late)
    assert Late("a") == Late(name="a")
    assert is_made(Late)
    assert "__init_subclass__" not in vars(Late)


def test_it_compares_hashes_orders_shows_and_copies_as_any() -> None:
    assert repr(Place("a")).endswith("Place(street='a', number=1)")
    assert {Place("a"), Place("a", 1)} == {Place("a")}
    assert Place("a") < Place("a", 2) < Place("b")
    assert dataclasses.replace(Place("a"), number=3) == Place("a", 3)
    assert dataclasses.asdict(House(2)) == {"rooms": 2, "doors": {}, "area": 40.0}
    assert copy.deepcopy(House(2, {"front": 1})) == House(2, {"front": 1})
    match Place("a", 4):
        case Place(street, number):
            assert (street, number) == ("a", 4)


def test_frozen_ones_are_and_others_are_not() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Place("a").number = 2  # type: ignore[misc]
    counter = Counter()
    counter.count += 1
    assert counter == Counter(1)


@pytest.mark.parametrize("arguments", [(), ("a", 1, 2)])
def test_wrong_arguments_are_refused_as_always(arguments: tuple[Any, ...]) -> None:
    make: Any = Place
    with pytest.raises(TypeError, match="argument"):
        make(*arguments)


def test_the_first_instance_may_be_unpickled() -> None:
    data = pickle.dumps(Address("fleet", "a"))
    code = f"import pickle\nfound = pickle.loads({data!r})\nprint(found == type(found)('fleet', 'a'), found)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "True fleet/a\n"


def test_one_that_is_made_of_another_has_its_fields() -> None:
    @dataclass(frozen=True)
    class Base:
        name: str

    @dataclass(frozen=True)
    class Late(Base):
        size: int

    @dataclasses.dataclass(frozen=True)
    class AtOnce(Base):
        size: int

    class Plain(Base):
        pass

    for made in (Late, AtOnce):
        assert dataclasses.asdict(made("a", 1)) == {"name": "a", "size": 1}
    assert Plain("a") == Plain("a") != Base("a")


def test_threads_may_be_first_together() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        made = [name for _ in range(40) for name in made_by_four_threads()]
    finally:
        sys.setswitchinterval(before)
    assert made == ["Late(name='a', size=1)"] * (40 * 4 * 50)


def made_by_four_threads() -> list[str]:
    """What four threads have made of a class that is new to all of them, 50 times each."""

    @dataclass(frozen=True)
    class Late:
        name: str
        size: int = 1

    barrier = threading.Barrier(4)
    made: list[str] = []

    def make() -> None:
        barrier.wait()
        for _ in range(50):
            made.append(repr(Late("a")).rpartition(".")[2])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return made


def test_one_that_cannot_be_made_says_so_each_time() -> None:
    @dataclass(frozen=True)
    class Wrong:
        name: str = ""
        size: int  # type: ignore[misc]

    for _ in range(2):
        with pytest.raises(TypeError, match="non-default argument 'size'"):
            Wrong("a", 1)
        assert Wrong.name == ""


def test_one_with_methods_that_are_in_the_way_is_refused() -> None:
    with pytest.raises(TypeError, match="__init__"):

        @dataclass
        class Own:
            def __init__(self) -> None:
                pass


def test_all_of_the_program_can_be_made() -> None:
    for found in pkgutil.walk_packages(provisioner.__path__, "provisioner."):
        if found.name.endswith("__main__"):
            continue
        for cls in vars(importlib.import_module(found.name)).values():
            if inspect.isclass(cls) and getattr(cls.__new__, "__module__", "") == LATE:
                type("Sub", (cls,), {})
                assert is_made(cls), cls
