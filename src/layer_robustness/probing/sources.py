"""What a unit is reset to: states of the whole network, and controls made from the trained one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from layer_robustness.experiments.sources import INTERPOLATE, NAMES, RANDOM, place
from layer_robustness.probing.tensors import State, named_tensors
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.seeding import generator

# The value of a tensor, by its name and its trained value; all on the CPU.
Value = Callable[[str, Tensor], Tensor]


@dataclass(frozen=True)
class Source:
    """One draw of a source."""

    name: str
    draw: int
    value: Value


@dataclass
class States:
    """The states that sources are made from.

    All that it holds is on the CPU: on a GPU, only the reset that is evaluated takes memory.

    network
        The trained network.
    initial
        Its state before training, if that is known.
    fresh
        Builds the network anew, if it can; or the states of fresh networks, one for each draw.
    named
        Other states, which are sources by their names.
    """

    network: nn.Module
    initial: State | None = None
    fresh: Callable[[], nn.Module] | Sequence[State] | None = None
    named: Mapping[str, State] = field(default_factory=dict)

    def __post_init__(self):
        self.named = {name: self.fitting(name, state) for name, state in self.named.items()}
        if self.initial is not None:
            self.initial = self.fitting("initial", self.initial)
            trained = named_tensors(self.network)
            if all(torch.equal(t, trained[key].cpu()) for key, t in self.initial.items()):
                raise InputError(
                    "initial equals the trained network: expected its state before training. What "
                    "state_dict() returns changes with the network; clone it first: "
                    "{name: tensor.clone() for name, tensor in model.state_dict().items()}"
                )
        if isinstance(self.fresh, nn.Module | Mapping):
            raise InputError(
                f"fresh is a {type(self.fresh).__name__}: expected a function that builds the "
                "network anew, or a list of states of fresh networks"
            )
        self.drawn: dict[int, State] = {}

    @torch.no_grad()
    def fitting(self, name: str, state: State) -> State:
        """Return the tensors of a state; refuse one of another network.

        Buffers that the network does not save may be missing; they then stay as they are.
        """
        trained, needed = named_tensors(self.network), self.network.state_dict()
        for key in [*needed, *state]:
            if key not in state or key not in trained:
                where = "the state" if key in state else "the network"
                raise InputError(
                    f"state {name!r} does not fit the network: only {where} has {key!r}; "
                    "expected a state_dict() of this network"
                )
            if state[key].shape != trained[key].shape:
                raise InputError(
                    f"state {name!r} does not fit the network: {key!r} is "
                    f"{list(state[key].shape)}, expected {list(trained[key].shape)}"
                )
        # In the trained tensor's own memory layout.
        return {
            key: torch.empty_like(trained[key], device="cpu").copy_(t) for key, t in state.items()
        }

    def draw(self, number: int) -> State:
        """Return the state of a fresh network: a given one, or drawn with the number's own seed."""
        if number not in self.drawn:
            self.drawn[number] = self.fitting(f"fresh {number}", self.fresh_state(number))
        return self.drawn[number]

    def fresh_state(self, number: int) -> State:
        """Look up a given state, or build the network anew."""
        assert self.fresh is not None
        if callable(self.fresh):
            with torch.random.fork_rng():
                torch.manual_seed(generator("fresh network", number).initial_seed())
                return named_tensors(self.fresh())
        if number < len(self.fresh):
            return self.fresh[number]
        raise InputError(
            f"draws is over {number}, but only {len(self.fresh)} fresh states are given: expected "
            "no more draws than these"
        )


def make_sources(names: Sequence[str], draws: int, states: States) -> list[Source]:
    """Return all draws of the sources; those without chance have one.

    Raises `InputError` if a source is unknown, or needs a state that is not given.
    """
    found = []
    for name in names:
        for draw in range(draws if name in RANDOM else 1):
            found.append(Source(name, draw, value_of(name, draw, states)))
    return found


def value_of(name: str, draw: int, states: States) -> Value:
    """Return what gives the value of a tensor at a draw of a source."""
    if name in states.named:
        return from_state(states.named[name])
    if name == "reinit":
        return from_state(needed_initial(name, states))
    if name in ("rerand", "rescaled"):
        if states.fresh is None:
            raise InputError(f"source {name} needs `fresh`: a function that builds the network")
        state = states.draw(draw)
        return from_state(state) if name == "rerand" else of_parameters(rescaled(state))
    if name == "shuffle":
        return of_parameters(shuffled(draw))
    if name == "zero":
        return of_parameters(lambda _, trained: torch.zeros_like(trained))
    if name.startswith(INTERPOLATE):
        return on_line(needed_initial(name, states), place(name))
    known = ", ".join([NAMES, *states.named])
    raise InputError(f"source {name!r} is unknown: expected one of {known}")


def needed_initial(name: str, states: States) -> State:
    """Return the initial state, which is never guessed."""
    if states.initial is None:
        raise InputError(
            f"source {name} needs `initial`: the network's state before it was trained; "
            "where that is not known, use rerand"
        )
    return states.initial


def from_state(state: State) -> Value:
    """Take values from a state."""
    return lambda name, trained: state.get(name, trained)


def of_parameters(value: Value) -> Value:
    """Change parameters only: running statistics, masks and indices stay what they are."""
    return lambda name, old: value(name, old) if isinstance(old, nn.Parameter) else old


def shuffled(draw: int) -> Value:
    """Permute the entries of a tensor."""

    def value(name: str, trained: Tensor) -> Tensor:
        order = torch.randperm(trained.numel(), generator=generator("shuffle", draw, name))
        return trained.detach().flatten()[order].view(trained.shape)

    return value


def rescaled(state: State) -> Value:
    """Give a tensor of a fresh draw the norm of the trained one; where it is 0 it stays 0."""

    def value(name: str, trained: Tensor) -> Tensor:
        norm = state[name].norm()
        return state[name] * (trained.detach().norm() / norm) if norm > 0 else state[name]

    return value


def on_line(initial: State, at: float) -> Value:
    """Take floats between the initial and the trained ones; whatever is equal stays equal."""

    def value(name: str, trained: Tensor) -> Tensor:
        start, end = initial.get(name, trained), trained.detach()
        if not end.is_floating_point():
            return end
        return torch.where(start == end, end, torch.lerp(start, end, at))

    return value


def changes(source: Source, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield the names of tensors which the source gives other values, and these values."""
    for name, tensor in tensors.items():
        trained = tensor.detach().cpu()
        is_parameter = isinstance(tensor, nn.Parameter)
        value = source.value(name, nn.Parameter(trained, False) if is_parameter else trained)
        if not torch.equal(value, trained):
            yield name, value.detach()
