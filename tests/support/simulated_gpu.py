"""A GPU without a GPU: tensors that say they are on cuda, compute on the CPU, and do not mix.

Inside `simulated_gpu()` whatever is made on or moved to "cuda" is such a tensor. An operation on
tensors of both places is an error, as is a GPU's random number from a CPU's generator; a single
number from the CPU may be mixed, and a GPU's tensor be indexed by the CPU's, as on a real GPU.

What it cannot see: going backward (PyTorch's engine asks the driver; it raises), the kernels' own
rounding and errors, memory and its layout in kernels, streams and pinned memory, several GPUs, and
`torch.cuda.is_available()`, which stays what it is. test_gpu.py asks a real GPU for those.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

CUDA = torch.device("cuda", 0)
MOVING = ("aten::copy_", "aten::_to_copy")
INDEXING = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_")


class OnGPU(torch.Tensor):
    """A tensor that claims to be on the GPU; `held` has its numbers, on the CPU."""

    @staticmethod
    def __new__(cls, held: torch.Tensor):
        like = {"strides": held.stride(), "storage_offset": held.storage_offset()}
        self = cls._make_wrapper_subclass(cls, held.shape, dtype=held.dtype, device=CUDA, **like)
        self.held = held
        return self

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return simulate(operation, args, kwargs or {})

    @property
    def data(self):
        return OnGPU(self.held)

    @data.setter
    def data(self, other: "OnGPU"):
        self.held = other.held

    def tolist(self):
        return self.held.tolist()  # PyTorch refuses it for tensors that are not its own

    def __repr__(self):
        return f"OnGPU({self.held})"


class Simulation(TorchDispatchMode):
    """Sees every operation, also those on the CPU's tensors and on none."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        return simulate(operation, args, kwargs or {})


@contextmanager
def simulated_gpu() -> Iterator[torch.device]:
    """Let "cuda" work in this block, as far as the module says, and give it."""
    torch._C._ensureCUDADeviceGuardSet()  # as PyTorch's own fake tensors do; nothing else sees it
    # Without cuDNN, whose operations the CPU knows by other names.
    with (
        patch.object(torch.cuda, "_lazy_init", lambda: None),
        # A module that moves then takes new parameters, which are of their data's own class.
        patch.object(torch.__future__, "_overwrite_module_params_on_conversion", True),
        # These tensors count their versions, which inference mode does away with.
        patch.object(torch._C, "_InferenceMode", lambda mode: torch.set_grad_enabled(not mode)),
        torch.backends.cudnn.flags(enabled=False),
        Simulation(),
    ):
        # Numbers of Python become a tensor of the CPU, which then moves as others do.
        torch._C._set_only_lift_cpu_tensors(True)
        try:
            yield torch.device("cuda")
        finally:
            torch._C._set_only_lift_cpu_tensors(False)


def simulate(operation, args: tuple, kwargs: dict):
    """Do on the CPU what was asked of the GPU, unless a GPU would refuse it."""
    name = operation.overloadpacket._qualified_op_name
    leaves = tree_leaves((args, kwargs))
    on_gpu = any(isinstance(leaf, OnGPU) for leaf in leaves)
    device = kwargs.get("device")
    if device is not None:
        to_gpu, kwargs = torch.device(device).type == "cuda", {**kwargs, "device": "cpu"}
    else:
        to_gpu = isinstance(args[0], OnGPU) if name in MOVING else on_gpu
    if on_gpu and name not in MOVING:
        checked = args[:1] if name in INDEXING and isinstance(args[0], OnGPU) else (args, kwargs)
        for leaf in tree_leaves(checked):
            if isinstance(leaf, torch.Tensor) and not isinstance(leaf, OnGPU) and leaf.dim():
                raise RuntimeError(f"{name}: expected all tensors on the same device, cuda and cpu")
    if to_gpu and any(isinstance(leaf, torch.Generator) for leaf in leaves):
        raise RuntimeError(f"{name}: expected a cuda device type for generator but found cpu")
    args, kwargs = tree_map_only(OnGPU, lambda tensor: tensor.held, (args, kwargs))
    result = operation(*args, **kwargs)
    if not to_gpu:
        return result
    # What was written in place is the tensor that it was.
    given = {id(leaf.held): leaf for leaf in leaves if isinstance(leaf, OnGPU)}

    def back(held: torch.Tensor) -> OnGPU:
        return given[id(held)] if id(held) in given else OnGPU(held)

    return tree_map_only(torch.Tensor, back, result)
