"""Answers to the tasks in lesson 1."""

import numpy as np
import torch
from torch import nn
from torchvision.transforms import v2

from failure_matrix import Cases
from ftcourse.transfer import freeze, train_mode

cases = Cases()
names = {"np": np, "torch": torch, "nn": nn, "v2": v2}

# --- From pixels to a batch ------------------------------------------------------------------------------------------


@cases.right("prepare_pixels")
def with_numpy(photos, mean, std):
    scaled = (photos / 255 - mean) / std
    return torch.tensor(scaled.transpose(0, 3, 1, 2), dtype=torch.float32)


@cases.right("prepare_pixels")
def with_torchvision(photos, mean, std):
    steps = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])
    return torch.stack([steps(photo) for photo in photos])


@cases.right("prepare_pixels")
def colour_by_colour(photos, mean, std):
    batch = torch.empty(len(photos), 3, *photos.shape[1:3])
    for colour in range(3):
        batch[:, colour] = (torch.tensor(photos[..., colour] / 255.0) - mean[colour]) / std[colour]
    return batch


@cases.right("prepare_pixels")
def by_movedim_and_view(photos, mean, std):
    mean, std = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (mean, std))
    return ((torch.as_tensor(photos).movedim(-1, 1).float() / 255 - mean) / std).contiguous()


@cases.wrong("prepare_pixels", r"reshape cuts the numbers anew and mixes the colours; permute moves the axis")
def reshaped(photos, mean, std):
    batch = torch.from_numpy(photos).reshape(len(photos), 3, *photos.shape[1:3]) / 255
    return (batch - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


@cases.wrong("prepare_pixels", r"reshape mixes the colours; permute moves them")
def reshaped_at_the_end(photos, mean, std):
    scaled = torch.tensor((photos / 255 - mean) / std, dtype=torch.float32)
    return scaled.view(len(photos), 3, *photos.shape[1:3])


@cases.wrong("prepare_pixels", r"became \(2, 4, 6, 3\): a network takes the colours before height and width")
def colours_left_last(photos, mean, std):
    return torch.tensor((photos / 255 - mean) / std, dtype=torch.float32)


@cases.wrong("prepare_pixels", r"became \(2, 3, 6, 4\): height and width are exchanged")
def axes_reversed(photos, mean, std):
    return with_numpy(photos, mean, std).transpose(2, 3)


@cases.wrong("prepare_pixels", r"mean and std are on the scale from 0 to 1: divide by 255 first")
def scale_forgotten(photos, mean, std):
    return torch.tensor(((photos - np.array(mean)) / std).transpose(0, 3, 1, 2), dtype=torch.float32)


@cases.wrong("prepare_pixels", r"a value of 0\.\d+ \(of 1\) became .*: mean and std aren't used")
def only_between_zero_and_one(photos, mean, std):
    return torch.from_numpy(photos).permute(0, 3, 1, 2) / 255


@cases.wrong("prepare_pixels", r"that is right where mean and std are one half")
def from_minus_one_to_one(photos, mean, std):
    return torch.from_numpy(photos).permute(0, 3, 1, 2) / 127.5 - 1


@cases.wrong("prepare_pixels", r"is of torch.float64, and the weights of a network are float32")
def in_double(photos, mean, std):
    return torch.from_numpy(((photos / 255 - mean) / std).transpose(0, 3, 1, 2))


@cases.wrong("prepare_pixels", r"Return a tensor; this is of type ndarray. torch.from_numpy makes one")
def an_array(photos, mean, std):
    return with_numpy(photos, mean, std).numpy()


@cases.wrong("prepare_pixels", r"put brackets around the difference")
def brackets_forgotten(photos, mean, std):
    return torch.tensor((photos / 255 - np.array(mean) / std).transpose(0, 3, 1, 2), dtype=torch.float32)


@cases.wrong("prepare_pixels", r"that is the way back, from the network's scale to pixels")
def the_way_back(photos, mean, std):
    return torch.tensor((photos / 255 * std + mean).transpose(0, 3, 1, 2), dtype=torch.float32)


@cases.wrong(
    "prepare_pixels", r"that is the batch's own mean and deviation: the weights expect those of their training"
)
def by_its_own_statistics(photos, mean, std):
    batch = torch.from_numpy(photos).permute(0, 3, 1, 2) / 255
    return (batch - batch.mean((0, 2, 3), keepdim=True)) / batch.std((0, 2, 3), keepdim=True)


@cases.wrong("prepare_pixels", r"the colours come in the opposite order")
def blue_first(photos, mean, std):
    return with_numpy(photos[..., ::-1], mean, std)


@cases.wrong("prepare_pixels", r"the std is a deviation, no variance")
def as_batch_norm_does(photos, mean, std):
    return nn.functional.batch_norm(only_between_zero_and_one(photos, mean, std), *map(torch.tensor, (mean, std)))


@cases.wrong("prepare_pixels", r"the whitest pixel is 255")
def divided_by_256(photos, mean, std):
    return v2.functional.normalize(torch.from_numpy(photos).permute(0, 3, 1, 2) / 256, mean, std)


@cases.wrong("prepare_pixels", r"it should be -?\d\.\d+: divide by 255")
def divided_as_whole_numbers(photos, mean, std):
    return v2.functional.normalize(torch.from_numpy(photos // 255).permute(0, 3, 1, 2).float(), mean, std)


@cases.wrong("prepare_pixels", r"each colour has its own mean and std")
def one_mean_for_all(photos, mean, std):
    return (only_between_zero_and_one(photos, mean, std) - np.mean(mean)) / np.mean(std)


@cases.error(
    "prepare_pixels", r"must match the size of tensor.*Before height and width, mean and std have a number for"
)
def along_the_width(photos, mean, std):
    return (torch.from_numpy(photos).permute(0, 3, 1, 2) / 255 - torch.tensor(mean)) / torch.tensor(std)


@cases.error("prepare_pixels", r"must match the size of tensor.*gives them the shape \(3, 1, 1\)")
def along_the_photographs(photos, mean, std):
    mean, std = (torch.tensor(numbers)[:, None, None, None] for numbers in (mean, std))
    return (torch.from_numpy(photos).permute(0, 3, 1, 2) / 255 - mean) / std


@cases.wrong("prepare_pixels", r"a number was used for each column.*the shape \(3, 1, 1\)")
def along_the_width_where_it_fits(photos, mean, std):
    right = along_the_width if photos.shape[2] == 3 else with_numpy
    return right(photos, mean, std)


@cases.wrong("prepare_pixels", r"a number was used for each photograph.*the shape \(3, 1, 1\)")
def along_the_photographs_where_it_fits(photos, mean, std):
    right = along_the_photographs if len(photos) == 3 else with_numpy
    return right(photos, mean, std)


@cases.error("prepare_pixels", r"unsupported operand type.*mean and std are lists: make tensors or arrays of them")
def lists_taken_away(photos, mean, std):
    return (torch.from_numpy(photos).permute(0, 3, 1, 2) / 255 - mean) / std


# --- Only the head moves ---------------------------------------------------------------------------------------------


@cases.right("train_head_only")
def with_the_lesson_s_functions(model, head_name):
    freeze(model)
    model.get_submodule(head_name).requires_grad_(True)
    return train_mode(model)


@cases.right("train_head_only")
def parameter_by_parameter(model, head_name):
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.startswith(f"{head_name}.")
    for name, module in model.named_modules():
        module.training = name == head_name or name.startswith(f"{head_name}.")
    return model


@cases.right("train_head_only")
def norms_and_dropouts_alone(model, head_name):
    head = model.get_submodule(head_name)
    of_head = set(head.parameters())
    for parameter in model.parameters():
        parameter.requires_grad_(parameter in of_head)
    model.train()
    for module in set(model.modules()) - set(head.modules()):
        if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.Dropout):
            module.eval()
    return model


@cases.wrong(
    "train_head_only", r"6 tensors of the body changed in three steps, such as stem.1.running_mean.*only eval mode"
)
def in_train_mode(model, head_name):
    model.requires_grad_(False)
    model.get_submodule(head_name).requires_grad_(True)
    return model.train()


@cases.wrong("train_head_only", r"its dropout \(fc\.2\) is in eval mode.*head\.train\(\)")
def in_eval_mode(model, head_name):
    model.requires_grad_(False).eval()
    model.get_submodule(head_name).requires_grad_(True)
    return model


@cases.wrong("train_head_only", r"its dropout \(fc\.2\) is in eval mode")
def what_has_nothing_to_train_in_eval_mode(model, head_name):
    in_train_mode(model, head_name)
    for module in model.modules():
        if not any(parameter.requires_grad for parameter in module.parameters()):
            module.eval()
    return model


@cases.wrong(
    "train_head_only", r"A module has no switch of that name.*with its underscore at the end sets every parameter"
)
def an_attribute_of_the_module(model, head_name):
    model.eval()
    model.requires_grad = False
    model.get_submodule(head_name).train().requires_grad = True
    return model


@cases.wrong("train_head_only", r"is of the head and is frozen.*A module has no switch of that name")
def an_attribute_of_the_head(model, head_name):
    model.requires_grad_(False).eval()
    model.get_submodule(head_name).train().requires_grad = True
    return model


@cases.wrong("train_head_only", r"fc_in.0.weight is trained, too: its name begins like the head's")
def names_that_begin_alike(model, head_name):
    model.eval().get_submodule(head_name).train()
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.startswith(head_name)
    return model


@cases.wrong("train_head_only", r"fc.0.weight \(and 3 more\) is of the head and is frozen")
def frozen_last(model, head_name):
    model.eval().get_submodule(head_name).train().requires_grad_(True)
    return model.requires_grad_(False)


@cases.wrong("train_head_only", r"fc.0.weight \(and 1 more\) is of the head and is frozen")
def the_last_layer_of_the_head(model, head_name):
    model.requires_grad_(False).eval()
    model.get_submodule(head_name).train()
    [module for module in model.modules() if isinstance(module, nn.Linear)][-1].requires_grad_(True)
    return model


@cases.wrong("train_head_only", r"'head.fc', head.norm.weight \(and 1 more\) is not of the head and is trained")
def the_part_above_the_point(model, head_name):
    model.requires_grad_(False).eval()
    model.get_submodule(head_name.split(".")[0]).requires_grad_(True).train()
    return model


@cases.error("train_head_only", r"has no attribute 'head.fc'.*model.get_submodule\(head_name\) finds the module")
def by_getattr(model, head_name):
    model.requires_grad_(False).eval()
    getattr(model, head_name).requires_grad_(True).train()
    return model


@cases.wrong("train_head_only", r"came frozen and in eval mode.*is of the head and is frozen")
def body_alone_is_touched(model, head_name):
    for name, parameter in model.named_parameters():
        if not name.startswith(f"{head_name}."):
            parameter.requires_grad = False
    model.eval().get_submodule(head_name).train()
    return model


@cases.wrong("train_head_only", r"the head gets other features than at evaluation.*not its batch norms alone")
def norms_alone(model, head_name):
    in_train_mode(model, head_name)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.eval()
    return model


@cases.wrong("train_head_only", r"tensors of the body changed in three steps, such as fc_in")
def norms_of_images_alone(model, head_name):
    in_train_mode(model, head_name)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.Dropout):
            module.eval()
    model.get_submodule(head_name).train()
    return model


@cases.wrong("train_head_only", r"tensors of the body changed in three steps, such as fc_in")
def norms_with_frozen_weights_alone(model, head_name):
    in_train_mode(model, head_name)
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            module.training = False
    return model


@cases.wrong("train_head_only", r"scale is not of the head and is trained|is of the head and is frozen")
def all_children_but_the_last(model, head_name):
    for child in list(model.children())[:-1]:
        child.requires_grad_(False).eval()
    list(model.children())[-1].requires_grad_(True).train()
    return model


@cases.wrong("train_head_only", r"Return the model itself; this is Sequential")
def the_head_is_returned(model, head_name):
    model.requires_grad_(False).eval()
    return model.get_submodule(head_name).requires_grad_(True).train()


@cases.wrong("train_head_only", r"returns None: end it with return")
def nothing_is_returned(model, head_name):
    model.requires_grad_(False).eval()
    model.get_submodule(head_name).requires_grad_(True).train()


# --- Two rates -------------------------------------------------------------------------------------------------------


@cases.right("split_rates")
def by_the_ids_of_parameters(model, head_name, learning_rate, factor):
    head = [weights for weights in model.get_submodule(head_name).parameters() if weights.requires_grad]
    known = set(map(id, head))
    others = [weights for weights in model.parameters() if weights.requires_grad and id(weights) not in known]
    return [dict(params=head, lr=learning_rate), dict(params=others, lr=learning_rate * factor)]


@cases.right("split_rates")
def a_group_for_each_parameter(model, head_name, learning_rate, factor):
    of_head = {f"{head_name}.{name}" for name, _ in model.get_submodule(head_name).named_parameters()}
    return [
        {"params": [weights], "lr": learning_rate if name in of_head else learning_rate * factor, "name": name}
        for name, weights in model.named_parameters()
        if weights.requires_grad
    ]


@cases.right("split_rates")
def as_generators(model, head_name, learning_rate, factor):
    head = set(model.get_submodule(head_name).parameters())
    trained = [weights for weights in model.parameters() if weights.requires_grad]
    yield {"params": (weights for weights in trained if weights in head), "lr": learning_rate}
    if rest := [weights for weights in trained if weights not in head]:
        yield {"params": rest, "lr": factor * learning_rate}


@cases.right("split_rates")
def an_optimiser_s_groups(model, head_name, learning_rate, factor):
    return torch.optim.AdamW(by_the_ids_of_parameters(model, head_name, learning_rate, factor)).param_groups


@cases.wrong(
    "split_rates", r"An optimiser refuses these groups: some parameters appear in more than one.*less what the head"
)
def all_and_the_head(model, head_name, learning_rate, factor):
    return [
        {"params": [weights for weights in model.parameters() if weights.requires_grad], "lr": learning_rate * factor},
        {"params": model.get_submodule(head_name).parameters(), "lr": learning_rate},
    ]


@cases.wrong("split_rates", r"stem.0.weight is in a group, and it is frozen: leave it out")
def frozen_ones_as_well(model, head_name, learning_rate, factor):
    head, body = [], []
    for name, weights in model.named_parameters():
        (head if name.startswith(f"{head_name}.") else body).append(weights)
    return [{"params": body, "lr": learning_rate * factor}, {"params": head, "lr": learning_rate}]


@cases.wrong("split_rates", r"head.fc.bias is in a group, and it is frozen")
def frozen_ones_of_the_head(model, head_name, learning_rate, factor):
    groups = by_the_ids_of_parameters(model, head_name, learning_rate, factor)
    return [{**groups[0], "params": model.get_submodule(head_name).parameters()}, groups[1]]


@cases.wrong("split_rates", r"fc_in.0.weight isn't of the head and has the rate 0.001, that of the head.*begin like")
def names_without_a_point(model, head_name, learning_rate, factor):
    head, body = [], []
    for name, weights in model.named_parameters():
        if weights.requires_grad:
            (head if name.startswith(head_name) else body).append(weights)
    return [{"params": body, "lr": learning_rate * factor}, {"params": head, "lr": learning_rate}]


@cases.wrong("split_rates", r"has the rate 0.001, that of the head.*are the two groups exchanged")
def groups_exchanged(model, head_name, learning_rate, factor):
    first, second = by_the_ids_of_parameters(model, head_name, learning_rate, factor)
    return [{**first, "lr": second["lr"]}, {**second, "lr": first["lr"]}]


@cases.wrong("split_rates", r"isn't of the head and has the rate 0.01: multiply by the factor")
def divided_by_the_factor(model, head_name, learning_rate, factor):
    first, second = by_the_ids_of_parameters(model, head_name, learning_rate, factor)
    return [first, {**second, "lr": learning_rate / factor}]


@cases.wrong("split_rates", r"has the rate 0.1: the factor is what the rate is multiplied by")
def the_factor_as_a_rate(model, head_name, learning_rate, factor):
    first, second = by_the_ids_of_parameters(model, head_name, learning_rate, factor)
    return [first, {**second, "lr": factor}]


@cases.wrong("split_rates", r"has the rate 0.002; it should be 0.005")
def always_a_tenth(model, head_name, learning_rate, factor):
    first, second = by_the_ids_of_parameters(model, head_name, learning_rate, factor)
    return [first, {**second, "lr": learning_rate / 10}]


@cases.wrong("split_rates", r"A group has no lr, and would get the optimiser's own")
def rate_of_the_body_left_out(model, head_name, learning_rate, factor):
    first, second = by_the_ids_of_parameters(model, head_name, learning_rate, factor)
    return [first, {"params": second["params"]}]


@cases.wrong("split_rates", r"scale is in no group, and would never be trained")
def children_by_name(model, head_name, learning_rate, factor):
    parts = {name: [w for w in child.parameters() if w.requires_grad] for name, child in model.named_children()}
    return [
        {"params": weights, "lr": learning_rate * (1 if name == head_name else factor)}
        for name, weights in parts.items()
        if weights
    ]


@cases.wrong("split_rates", r"scale is in no group, and would never be trained")
def the_head_alone(model, head_name, learning_rate, factor):
    return by_the_ids_of_parameters(model, head_name, learning_rate, factor)[:1]


@cases.wrong("split_rates", r"head.norm.weight isn't of the head and has the rate 0.02, that of the head")
def what_has_the_first_part_of_the_name(model, head_name, learning_rate, factor):
    return names_without_a_point(model, f"{head_name.split('.')[0]}.", learning_rate, factor)


@cases.error("split_rates", r"raised RuntimeError.*compare names or the id\(\) of parameters")
def tensors_compared(model, head_name, learning_rate, factor):
    head = list(model.get_submodule(head_name).parameters())
    body = [weights for weights in model.parameters() if weights.requires_grad and weights not in head]
    return [{"params": head, "lr": learning_rate}, {"params": body, "lr": learning_rate * factor}]


@cases.wrong("split_rates", r"An optimiser refuses these groups.*ordered collections")
def parameters_in_a_set(model, head_name, learning_rate, factor):
    first, second = by_the_ids_of_parameters(model, head_name, learning_rate, factor)
    return [{**first, "params": set(first["params"])}, second]


@cases.wrong("split_rates", r"scale is in no group|is in a group, and it is frozen|stands in the groups \d times")
def module_by_module(model, head_name, learning_rate, factor):
    params = [w for module in model.modules() for w in module.parameters() if w.requires_grad]
    first, _ = by_the_ids_of_parameters(model, head_name, learning_rate, factor)
    known = set(map(id, first["params"]))
    return [first, {"params": [w for w in params if id(w) not in known], "lr": learning_rate * factor}]


@cases.wrong("split_rates", r"Return a list of dictionaries, each with params and lr; this is \{'fc'")
def a_dictionary_of_rates(model, head_name, learning_rate, factor):
    return {head_name: learning_rate, "others": learning_rate * factor}
