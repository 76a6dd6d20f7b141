"""How a network is cut into units: by level, by patterns of names, or unit by unit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase

from torch import Tensor, nn

from layer_robustness.probing.tensors import identities, own_tensors
from layer_robustness.runtime.errors import InputError

LISTS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
LOOSE = "loose"
A_BLOCK = 3  # modules with tensors of their own: convolution and normalization alone are no block


@dataclass
class Cut:
    """The units of a network, and the modules whose outputs a clean pass can keep.

    units
        Names of tensors by unit; each tensor is in one unit at most.
    parts
        What a unit is made of, for people: names of modules or, of loose tensors, their own.
    modules
        Every unit's module, and those beside them that hold no unit, such as a pooling.
    """

    units: dict[str, list[str]] = field(default_factory=dict)
    parts: dict[str, list[str]] = field(default_factory=dict)
    modules: list[nn.Module] = field(default_factory=list)
    _claimed: set[int] = field(default_factory=set)

    def add(self, unit: str, part: str, tensors: dict[str, Tensor]) -> None:
        """Let a unit own the tensors that no other one owns yet."""
        free = {name: t for name, t in tensors.items() if id(t) not in self._claimed}
        if not any(isinstance(tensor, nn.Parameter) for tensor in free.values()):
            return
        self._claimed.update(id(tensor) for tensor in free.values())
        self.units.setdefault(unit, []).extend(free)
        self.parts.setdefault(unit, []).append(part)


Units = str | Sequence[str] | Mapping[str, Sequence[str]]


def cut(network: nn.Module, units: Units) -> Cut:
    """Cut a network into units, by the names of its own modules.

    Raises `InputError` if nothing matches a pattern, or the network has no parameters.

    `stage`: what holds the blocks of a stage, and what lies beside that.
    `block`: through Sequential, ModuleList, ModuleDict and stages down to their blocks.
    `leaf`: every module that owns tensors itself.
    Otherwise patterns (`layer3.*`, `head`) of names of modules, or of tensors that lie beside
    units; inside a module that matches, nothing is looked for. In a mapping, each unit has a name
    of its own and the patterns of what it is made of.

    Tensors that lie beside units (`cls_token`, `pos_embed`) are one unit, `loose`.
    """
    if isinstance(units, Mapping):
        patterns = {pattern: unit for unit, own in units.items() for pattern in own}
    else:
        patterns = dict.fromkeys([units] if isinstance(units, str) else units)
    if list(patterns) == ["leaf"]:
        result = leaves(network)
    elif list(patterns) in (["stage"], ["block"]):
        result = by_level(network, LEVELS[next(iter(patterns))])
    else:
        result = by_patterns(network, patterns)
    if not result.units:
        raise InputError("the network has no parameters: expected one that was trained")
    return result


def by_level(network: nn.Module, goes_on: Callable[[nn.Module, bool], bool]) -> Cut:
    """Descend as long as `goes_on` says so; where it stops is a unit."""
    found = Cut()

    def walk(name: str, module: nn.Module) -> None:
        for full, tensor in own_tensors(module, name).items():
            found.add(LOOSE, full, {full: tensor})
        for child_name, child in children(name, module):
            if goes_on(child, isinstance(module, LISTS)):
                walk(child_name, child)
            else:
                found.modules.append(child)
                found.add(child_name, child_name, tensors_below(child_name, child))

    walk("", network)
    return found


def leaves(network: nn.Module) -> Cut:
    """Let every module that owns tensors itself be a unit.

    The call of one that has blocks inside is not kept: theirs would belong to it.
    """
    found = Cut()
    for name, module in network.named_modules():
        tensors = own_tensors(module, name)
        leaf = not list(module.children())
        if leaf or (name and tensors and not has_blocks(module)):
            found.modules.append(module)
        if name:
            found.add(name, name, tensors)
            continue
        for key, tensor in tensors.items():
            found.add(LOOSE, key, {key: tensor})
    return found


def by_patterns(network: nn.Module, patterns: Mapping[str, str | None]) -> Cut:
    """Let what matches be units; other modules that hold no unit are kept track of only.

    Each pattern has the unit that it belongs to; what matches is a unit of its own without one.
    """
    found, unmatched = Cut(), set(patterns)

    def unit_of(name: str) -> str | None:
        matching = [pattern for pattern in patterns if fnmatchcase(name, pattern)]
        unmatched.difference_update(matching)
        return patterns[matching[0]] or name if matching else None

    def walk(name: str, module: nn.Module) -> None:
        for full, tensor in own_tensors(module, name).items():
            if unit := unit_of(full):
                found.add(unit, full, {full: tensor})
        for child_name, child in children(name, module):
            if unit := unit_of(child_name):
                found.add(unit, child_name, tensors_below(child_name, child))
                found.modules.append(child)
            elif any(fnmatchcase(n, p) for n in names_below(child_name, child) for p in patterns):
                walk(child_name, child)
            else:
                found.modules.append(child)

    walk("", network)
    for pattern in sorted(unmatched):
        known = [name for name in names_below("", network) if name]
        near = get_close_matches(pattern, known, 3, 0.3) or known[:3]
        raise InputError(
            f"units: no module matches {pattern!r}: expected stage, block, leaf or names of "
            f"modules such as {', '.join(near)}"
        )
    return found


def children(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules right below one, by their full names."""
    inside = f"{name}." if name else ""
    return ((inside + key, child) for key, child in module.named_children())


def tensors_below(name: str, module: nn.Module) -> dict[str, Tensor]:
    """All tensors of a module, by their full names."""
    found = {}
    for key, inner in module.named_modules(prefix=name):
        found |= own_tensors(inner, key)
    return found


def names_below(name: str, module: nn.Module) -> Iterator[str]:
    """Full names of a module, of all modules inside it and of their tensors."""
    for key, inner in module.named_modules(prefix=name):
        yield key
        yield from own_tensors(inner, key)


def is_block(module: nn.Module) -> bool:
    """Whether a module may be a block: enough modules in it own tensors themselves."""
    return sum(bool(own_tensors(inner)) for inner in module.modules()) >= A_BLOCK


def has_blocks(module: nn.Module) -> bool:
    """Whether a list of blocks is in a module: of its members with tensors at least half are."""
    for inner in module.modules():
        if isinstance(inner, LISTS):
            members = [child for child in inner.children() if identities(child)]
            if members and 2 * sum(map(is_block, members)) >= len(members):
                return True
    return False


def has_stages(module: nn.Module) -> bool:
    """Whether a list is in a module of which a member has blocks of its own."""
    lists = (inner for inner in module.modules() if isinstance(inner, LISTS))
    return any(has_blocks(child) for inner in lists for child in inner.children())


def down_to_blocks(module: nn.Module, in_list: bool) -> bool:
    """Whether a cut into blocks goes on into a module."""
    return type(module) in LISTS or has_blocks(module)


def down_to_stages(module: nn.Module, in_list: bool) -> bool:
    """Whether a cut into stages goes on into a module: not into a stage, which lies in a list."""
    wrapper = not in_list and not isinstance(module, LISTS)
    return has_stages(module) or (wrapper and has_blocks(module))


LEVELS = {"stage": down_to_stages, "block": down_to_blocks}
