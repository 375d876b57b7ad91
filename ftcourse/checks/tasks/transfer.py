"""The checks of the tasks in lesson 1: pixels as a network takes them, a head that is trained alone, two rates."""

import copy
import math
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from ..engine import Wrong, require, run, shown
from ..reading import as_list
from . import new_tasks

tasks = new_tasks("01_transfer_learning")


@tasks.step("Your turn, from pixels to a batch")
def prepare_pixels(answer: Any) -> str:
    """Judge an answer to: Your turn, from pixels to a batch."""
    import numpy as np
    import torch

    drawn = np.random.default_rng(0)
    for shape, mean, std in (  # three photographs and three columns, too, where a wrong axis fits by chance
        ((2, 4, 6, 3), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ((3, 5, 5, 3), [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]),
        ((3, 3, 3, 3), [0.2, 0.9, 0.4], [0.7, 0.1, 0.3]),
        ((1, 7, 3, 3), [0.1, 0.3, 0.6], [0.25, 0.5, 0.2]),
    ):
        photos = drawn.integers(0, 256, shape, dtype=np.uint8)
        found = run(answer, photos.copy(), list(mean), list(std), clues=_PIXEL_CLUES)
        require(
            isinstance(found, torch.Tensor),
            f"Return a tensor; this is of type {type(found).__name__}. torch.from_numpy makes one of an array.",
        )
        _check_shape(tuple(found.shape), shape)
        require(
            found.dtype == torch.float32,
            f"The tensor is of {found.dtype}, and the weights of a network are float32. NumPy divides to float64.",
        )
        plain = torch.from_numpy(photos).permute(0, 3, 1, 2).double() / 255
        centre, spread = (torch.tensor(numbers, dtype=plain.dtype)[:, None, None] for numbers in (mean, std))
        right = (plain - centre) / spread
        said = f"With mean {mean} and std {std}, a value of {plain[0, 0, 0, 0]:.3f} (of 1) became {{:.3f}}"
        for wrong, why in _pixel_faults(plain, centre, spread):
            require(
                not torch.allclose(found.double(), wrong, atol=1e-3) or torch.allclose(right, wrong, atol=1e-3),
                f"{said.format(found[0, 0, 0, 0])}: {why}.",
            )
        require(
            torch.allclose(found.double(), right, atol=1e-3),
            f"{said.format(found[0, 0, 0, 0])}, and it should be {right[0, 0, 0, 0]:.3f}: divide by 255, take away "
            "the mean of its colour, divide by the std of its colour.",
        )
    return "Colours first, each on the scale of the weights, whatever the shape of the photographs."


_SCALE_SHAPE = "mean and std have a number for each colour: [:, None, None] gives them the shape (3, 1, 1)."
_COLOUR_CLUE = f"Along which axis are the colours by then? Before height and width, {_SCALE_SHAPE}"
_PIXEL_CLUES = {
    "must match the size of tensor": _COLOUR_CLUE,
    "could not be broadcast": _COLOUR_CLUE,
    "unsupported operand type": "mean and std are lists: make tensors or arrays of them.",
}


def _check_shape(found: tuple[int, ...], photos: tuple[int, ...]) -> None:
    count, height, width, colours = photos
    said = f"Photographs of the shape {photos} became {found}"
    require(
        found != photos or photos == (count, colours, height, width),
        f"{said}: a network takes the colours before height and width. permute moves an axis.",
    )
    require(
        found != (count, colours, width, height) or height == width,
        f"{said}: height and width are exchanged, and the photographs lie on their sides.",
    )
    require(found == (count, colours, height, width), f"{said}; it should be {(count, colours, height, width)}.")


def _pixel_faults(plain: Any, mean: Any, std: Any) -> Iterator[tuple[Any, str]]:
    """Yield what the usual mistakes make of the pixels, colours first and from 0 to 1, with a sentence on each."""
    right = (plain - mean) / std
    last = plain.permute(0, 2, 3, 1)
    cut = last.reshape(plain.shape)
    own = plain.mean((0, 2, 3), keepdim=True), plain.std((0, 2, 3), keepdim=True)
    yield (cut - mean) / std, "reshape cuts the numbers anew and mixes the colours; permute moves the axis"
    yield (
        ((last - mean.flatten()) / std.flatten()).reshape(plain.shape),
        "reshape mixes the colours; permute moves them",
    )
    if plain.shape[2] == plain.shape[3]:
        yield right.transpose(2, 3), "height and width are exchanged, and the photographs lie on their sides"
    yield (255 * plain - mean) / std, "mean and std are on the scale from 0 to 1: divide by 255 first"
    yield plain, "mean and std aren't used"
    yield 255 * plain, "nothing was done but to move the colours"
    yield plain - mean, "it isn't divided by the std"
    yield plain / std, "the mean isn't taken away"
    yield (
        plain - mean / std,
        "the mean is taken away first, and the result is divided: put brackets around the difference",
    )
    yield plain * std + mean, "that is the way back, from the network's scale to pixels"
    yield (plain - std) / mean, "mean and std are exchanged"
    yield (plain - mean) / std**2, "the std is a deviation, not a variance: divide by it once"
    yield (plain - mean) / std.sqrt(), "the std is a deviation, no variance: divide by it as it is"
    yield right.flip(1), "the colours come in the opposite order"
    yield (plain.flip(1) - mean) / std, "the colours come in the opposite order"
    yield (plain - mean.flip(0)) / std.flip(0), "mean and std are used in the opposite order of the colours"
    yield (
        2 * plain - 1,
        "that is right where mean and std are one half, as for the weights of this lesson, and not here",
    )
    yield (plain * 255 / 256 - mean) / std, "the whitest pixel is 255, so divide by 255"
    yield (plain - mean.mean()) / std.mean(), "each colour has its own mean and std"
    yield (
        (plain - own[0]) / own[1],
        "that is the batch's own mean and deviation: the weights expect those of their training",
    )
    if plain.shape[-1] == 3:
        yield (plain - mean.flatten()) / std.flatten(), f"a number was used for each column. {_SCALE_SHAPE[:-1]}"
    if len(plain) == 3:
        yield ((plain - mean[:, None]) / std[:, None], f"a number was used for each photograph. {_SCALE_SHAPE[:-1]}")


@tasks.step("Your turn, only the head moves")
def train_head_only(answer: Any) -> str:
    """Judge an answer to: Your turn, only the head moves."""
    import torch

    for before, model, head_name in _networks():
        given = run(answer, model, head_name, clues=_HEAD_CLUES)
        require(
            isinstance(given, torch.nn.Module) and set(given.state_dict()) == set(model.state_dict()),
            f"Return the model itself; this is {shown(given)}.",
        )
        said = f"In a network that came {before}, with the head {head_name!r},"
        _check_frozen(given, head_name, said)
        _check_moves(given, head_name, said)
    return "Training moves the head alone, and the body gives the features that it gives at evaluation."


_HEAD_CLUES = {
    "is not an nn.Module": "The name is that of a module: model.get_submodule finds it, however deep it lies.",
    "has no attribute": "The name may have a point, as head.fc has: model.get_submodule(head_name) finds the module.",
    "KeyError": "The name may have a point, as head.fc has: model.get_submodule(head_name) finds the module.",
}


def _networks() -> Iterator[tuple[str, Any, str]]:
    """Yield small networks, with what became of each before and the name of its head."""
    import torch
    from torch import nn

    def wide() -> nn.Module:
        stem = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        more = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6, affine=False), nn.ReLU())
        head = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 3))
        model = nn.Sequential(OrderedDict(stem=stem, pool=pool, fc_in=more, fc=head))
        model.register_parameter("scale", nn.Parameter(torch.ones(1)))
        return model

    def deep() -> nn.Module:
        body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        head = nn.Sequential(OrderedDict(norm=nn.BatchNorm1d(4), fc=nn.Linear(4, 3)))
        return nn.Sequential(OrderedDict(body=body, head=head, scores=nn.Identity()))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        new, frozen, deeper, turned = wide(), wide(), deep(), deep()
    yield "as it was built", new, "fc"
    yield "frozen and in eval mode", frozen.requires_grad_(False).eval(), "fc"
    yield "as it was built", deeper, "head.fc"
    turned.head.requires_grad_(False)
    turned.head.eval()
    yield "with its body in training and its head frozen", turned, "head.fc"


def _check_frozen(model: Any, head_name: str, said: str) -> None:
    """Require that the parameters of the head, and no others, can be trained."""
    head = {id(parameter) for parameter in model.get_submodule(head_name).parameters()}
    names: dict[bool, list[str]] = {True: [], False: []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad != (id(parameter) in head):
            names[parameter.requires_grad].append(name)
    wordless = any("requires_grad" in vars(module) for module in model.modules())
    why = " A module has no switch of that name: module.requires_grad = ... is a new attribute, which nothing reads. "
    why = f"{why}module.requires_grad_(...) with its underscore at the end sets every parameter." if wordless else ""
    alike = bool(names[True]) and all(name.startswith(head_name) for name in names[True])
    require(
        not alike,
        f"{said} {names[True] and names[True][0]} is trained, too: its name begins like the head's, and it is of "
        "another module. Take the head by model.get_submodule(head_name).",
    )
    for kind, text in ((True, "is not of the head and is trained"), (False, "is of the head and is frozen")):
        more = f" (and {len(names[kind]) - 1} more)" if len(names[kind]) > 1 else ""
        require(not names[kind], f"{said} {names[kind] and names[kind][0]}{more} {text}.{why}")


def _check_moves(model: Any, head_name: str, said: str) -> None:
    """Train a network for some steps and require that the head alone changes, and sees what it will see later."""
    import torch

    head = model.get_submodule(head_name)
    quiet = [
        name for name, module in head.named_modules() if "Dropout" in type(module).__name__ and not module.training
    ]
    require(
        not quiet,
        f"{said} its dropout ({head_name}.{quiet and quiet[0]}) is in eval mode: the head is what is trained, so "
        "head.train(), after all else was put in eval mode.",
    )
    features: list[Any] = []
    still = copy.deepcopy(model).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.SGD([weights for weights in model.parameters() if weights.requires_grad], lr=0.1)
    catches = [
        network.get_submodule(head_name).register_forward_pre_hook(lambda module, inputs: features.append(inputs[0]))
        for network in (still, model)
    ]
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(0)
        images = torch.randn(8, 3, 8, 8)
        still(images)
        for _ in range(3):
            model(images).square().mean().backward()
            optimizer.step()
    for catch in catches:
        catch.remove()
    moved = [name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])]
    strange = [name for name in moved if not name.startswith(f"{head_name}.")]
    require(
        not strange,
        f"{said} {len(strange)} tensors of the body changed in three steps, such as {strange and strange[0]}: running "
        "statistics are no parameters, and only eval mode keeps them.",
    )
    require(
        torch.allclose(features[0], features[1], atol=1e-6),
        f"{said} the head gets other features than at evaluation: a dropout or a norm of the body is in train mode. "
        "Put all of the body in eval mode, and not its batch norms alone.",
    )


@tasks.step("Your turn, two rates")
def split_rates(answer: Any) -> str:
    """Judge an answer to: Your turn, two rates."""
    (_, wide, _), _, (_, deep, _), (_, body, _) = _networks()
    wide.stem[0].requires_grad_(False)
    deep.head.fc.bias.requires_grad_(False)
    deep.body[0].bias.requires_grad_(False)
    body.requires_grad_(False)
    body.head.fc.requires_grad_(True)
    for model, head_name, rate, factor in (
        (wide, "fc", 1e-3, 0.1),
        (deep, "head.fc", 0.02, 0.25),
        (body, "head.fc", 3e-4, 0.5),
    ):
        given = run(answer, model, head_name, rate, factor, clues=_RATE_CLUES)
        rates = _rates(given)
        of_head = {id(parameter) for parameter in model.get_submodule(head_name).parameters()}
        said = f"With the head {head_name!r}, a learning rate of {rate:g} and a factor of {factor:g}"
        for name, parameter in model.named_parameters():
            in_head, found = id(parameter) in of_head, rates.pop(id(parameter), [])
            if not parameter.requires_grad:
                require(not found, f"{said}, {name} is in a group, and it is frozen: leave it out.")
                continue
            require(found, f"{said}, {name} is in no group, and would never be trained.")
            require(
                len(found) == 1,
                f"{said}, {name} stands in the groups {len(found)} times: each parameter belongs there once.",
            )
            _check_rate(found[0], rate, factor, in_head, f"{said}, {name}")
        require(not rates, f"{said}, {len(rates)} tensors of the groups are no parameters of the model.")
    return "Each trainable parameter once: the head at its rate, all else at its share of it."


_RATE_CLUES = {
    "Boolean value of Tensor": "`in` and == compare tensors number by number: compare names or the id() of parameters.",
    "must match the size": "`in` and == compare tensors number by number: compare names or the id() of parameters.",
    "has no attribute": "The name may have a point, as head.fc has: model.get_submodule(head_name) finds the module.",
    "KeyError": "The name may have a point, as head.fc has: model.get_submodule(head_name) finds the module.",
}


def _rates(value: Any) -> dict[int, list[float]]:
    """Return the rates of each parameter in groups, by its id."""
    import torch

    groups = getattr(value, "param_groups", None) or as_list(value)
    require(
        groups and all(isinstance(group, dict) and "params" in group for group in groups),
        f"Return a list of dictionaries, each with params and lr; this is {shown(value)}.",
    )
    assert groups is not None
    require(
        all("lr" in group for group in groups),
        "A group has no lr, and would get the optimiser's own: name it in each group.",
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a parameter twice in a group, which is told below
            optimizer = torch.optim.SGD([dict(group) for group in groups], lr=1.0)
    except (TypeError, ValueError) as error:
        twice = "more than one" in str(error)
        why = " All but the head is what the model has less what the head has." if twice else ""
        raise Wrong(f"An optimiser refuses these groups: {str(error).rstrip('.')}.{why}") from error
    rates: dict[int, list[float]] = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            rates.setdefault(id(parameter), []).append(float(group["lr"]))
    return rates


def _check_rate(found: float, rate: float, factor: float, in_head: bool, said: str) -> None:
    right = rate if in_head else rate * factor
    other = rate * factor if in_head else rate
    part, whose = ("is of the head", "all else") if in_head else ("isn't of the head", "the head")
    require(
        not math.isclose(found, other),
        f"{said} {part} and has the rate {found:g}, that of {whose}. Does its name only begin like the head's, or are "
        "the two groups exchanged?",
    )
    for wrong, why in (
        (rate / factor, "multiply by the factor"),
        (factor, "the factor is what the rate is multiplied by"),
    ):
        require(not math.isclose(found, wrong) or in_head, f"{said} {part} and has the rate {found:g}: {why}.")
    require(math.isclose(found, right), f"{said} {part} and has the rate {found:g}; it should be {right:g}.")
