"""What is inside a network's residual blocks, traced from the model itself (Figure 7)."""

import operator

from torch import fx, nn

from layer_robustness.experiments.names import Network
from layer_robustness.models import units
from layer_robustness.models.build import build

SHAPE, CLASSES = (3, 32, 32), 10  # CIFAR10's


def residual_blocks(network: Network) -> dict[str, list[dict]]:
    """Return the nodes of each residual block of a ResNet, by unit, as `trace` does."""
    built = build(network, SHAPE, CLASSES)
    blocks = units.residual_blocks(network).items()
    return {unit: trace(built.get_submodule(module)) for unit, module in blocks}


def trace(block: nn.Module) -> list[dict]:
    """Return a module's operations as nodes, inputs before what uses them.

    A node has a `name`, a `label` such as "3x3 convolution, 128, stride 2" (kernel, output
    channels, stride unless 1), and the names of its `inputs`. Identities are left out.
    """
    graph = fx.symbolic_trace(block).graph
    nodes, stands_for = [], {}
    for node in graph.nodes:
        inputs = [stands_for[source] for source in node.all_input_nodes]
        module = block.get_submodule(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, nn.Identity):
            (stands_for[node],) = inputs
            continue
        stands_for[node] = node.name
        nodes.append({"name": node.name, "label": label(node, module), "inputs": inputs})
    return nodes


def label(node: fx.Node, module: nn.Module | None) -> str:
    """Say what a node does; `module` is what it calls, if any."""
    if isinstance(module, nn.Conv2d):
        stride = f", stride {module.stride[0]}" if module.stride[0] > 1 else ""
        size = "x".join(map(str, module.kernel_size))
        return f"{size} convolution, {module.out_channels}{stride}"
    if module is not None:
        return type(module).__name__
    if node.target is operator.add:
        return "+"
    return {"placeholder": "input", "output": "output"}[node.op]
