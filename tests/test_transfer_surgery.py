"""Lesson 1's model surgery: any classifier gets a new head, every parameter has its group, and frozen means frozen."""

import copy
import re
from unittest import mock

import pytest
import timm
import torch
import torchvision
from accelerate import init_empty_weights
from torch import nn

from ftcourse import images, surgery
from ftcourse import transfer as t
from ftcourse.errors import CourseError
from ftcourse.surgery import count_parameters, find_head, group_name, layer_groups

TORCHVISION = torchvision.models.list_models(module=torchvision.models)
# The smallest of each family, where a forward pass is tried too.
SMALLEST = [
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "inception_v3",
    "maxvit_t",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "resnet18",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
    "swin_t",
    "vgg11",
    "vit_b_32",
]
TIMM = [
    "resnet18",
    "resnetv2_50",
    "tf_efficientnet_lite0",
    "efficientnet_b0",
    "mobilenetv3_small_050",
    "vit_tiny_patch16_224",
    "convnext_atto",
    "swin_tiny_patch4_window7_224",
    "deit_tiny_patch16_224",
    "regnetx_002",
    "densenet121",
    "vgg11",
    "mixer_s32_224",
    "inception_v3",
    "dla34",
    "edgenext_xx_small",
    "selecsls42",
    "caformer_s18",
]


def build(name, device="meta"):
    """Return a classifier of torchvision or, as "timm/name", of timm; on the meta device its weights take no memory."""
    library, _, name = name.rpartition("/")
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") and not library else {}
    make = timm.create_model if library else torchvision.models.get_model
    if device == "cpu":
        return make(name, **options)
    with init_empty_weights(), mock.patch.object(torch.Tensor, "normal_", lambda tensor, *_, **__: tensor):
        return make(name, **options).to("meta")  # torchvision's regnets can't be built in a `torch.device("meta")`


def check_surgery(model, inputs):
    """Check all that must hold of a model with a head for seven classes; `inputs` is the width of its features."""
    where, _ = find_head(model)
    assert t.replace_head(t.freeze(model), 7) is model
    name, head = find_head(model)
    assert name == where and [type(layer) for layer in head[1:3]] == [nn.ReLU, nn.Dropout] and head[2].p == 0.5
    assert head[0].weight.shape[:2] == (256, inputs) and head[3].weight.shape[:2] == (7, 256)
    assert count_parameters(model)[0] == inputs * 256 + 256 + 256 * 7 + 7
    assert not [name for name, layer in model.named_modules() if getattr(layer, "out_features", 0) == 1000]

    groups = layer_groups(model)
    grouped = [id(parameter) for _, parameters in groups for parameter in parameters]
    assert len(grouped) == len(set(grouped)) and set(grouped) == {id(parameter) for parameter in model.parameters()}
    assert len(groups) >= 5 and len(dict(groups)) == len(groups)
    assert all(any(parameter.ndim > 1 for parameter in parameters) for _, parameters in groups)
    assert groups[-1][0] == where and {id(p) for p in head.parameters()} == {id(p) for p in groups[-1][1]}


def width(model):
    """Return the number of features that go into a new classifier's head."""
    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    return [layer.weight.shape[1] for layer in layers if layer.weight.shape[0] == 1000][-1]


def output_shape(model, size=224):
    """Return the shape of what a model on the meta device gives for two images: all layers run, without arithmetic."""
    return model.train()(torch.empty(2, 3, size, size, device="meta")).shape


def test_every_family_has_a_forward_pass():
    def families(names):
        return {torchvision.models.get_model_builder(name).__module__ for name in names}

    assert len(TORCHVISION) >= 80 and families(SMALLEST) == families(TORCHVISION)


@pytest.mark.long
@pytest.mark.parametrize("name", TORCHVISION)
def test_surgery_on_every_classifier_of_torchvision(name):
    model = build(name)
    check_surgery(model, width(model))
    if name in SMALLEST:
        assert output_shape(model) == (2, 7)


@pytest.mark.long
@pytest.mark.parametrize("name", TIMM)
def test_surgery_on_families_of_timm(name):
    model = build(f"timm/{name}")
    size = model.pretrained_cfg["input_size"][-1]
    check_surgery(model, width(model))
    assert model.num_classes == 7 and output_shape(model, size) == (2, 7)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnet18", 32),
        ("squeezenet1_1", 64),
        ("mobilenet_v3_small", 32),
        ("googlenet", 64),
        ("mnasnet0_5", 32),
        ("timm/tf_efficientnet_lite0", 32),
        ("timm/convnext_atto", 32),
        ("timm/dla46_c", 32),
    ],
)
def test_real_forward_and_backward(name, size):
    model = t.replace_head(build(name, "cpu"), 3)
    outputs = model.train()(torch.randn(2, 3, size, size))
    assert outputs.shape == (2, 3) and outputs.isfinite().all()
    outputs.sum().backward()
    assert find_head(model)[1][0].weight.grad is not None


def test_auxiliary_heads_are_gone():
    for name in ("googlenet", "inception_v3"):
        before = build(name)
        after = t.replace_head(copy.deepcopy(before), 5)
        lost = {child for child, _ in before.named_children()} - {child for child, _ in after.named_children()}
        assert lost == {"googlenet": {"aux1", "aux2"}, "inception_v3": {"AuxLogits"}}[name]


def test_head_again_and_single_layer():
    model = build("resnet18", "cpu")
    body = count_parameters(model)[1] - 513_000
    t.replace_head(t.replace_head(model, 10), 5)
    assert [type(layer).__name__ for layer in model.fc] == ["Linear", "ReLU", "Dropout", "Linear"]
    assert count_parameters(model)[1] == body + 512 * 256 + 256 + 256 * 5 + 5
    t.replace_head(model, 4, hidden=None)
    assert type(model.fc) is nn.Linear and model.fc.weight.shape == (4, 512)
    t.replace_head(model.to(torch.bfloat16), 3, hidden=8, dropout=0)
    assert model.fc[0].weight.dtype == torch.bfloat16 and model.fc[0].weight.shape == (8, 512) and model.fc[2].p == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(num_classes=1), "num_classes is 1,.* 2 or more"),
        (dict(num_classes=10.0), "num_classes is 10.0"),
        (dict(num_classes="ten"), "num_classes is 'ten'"),
        (dict(num_classes=True), "num_classes is True"),
        (dict(num_classes=None), "num_classes is None"),
        (dict(num_classes=3, hidden=0), "hidden is 0,.* None or .* 1 or more"),
        (dict(num_classes=3, hidden=1.5), "hidden is 1.5"),
        (dict(num_classes=3, dropout=1), "dropout is 1,.* below 1"),
        (dict(num_classes=3, dropout=-0.1), "dropout is -0.1"),
        (dict(num_classes=3, dropout=float("nan")), "dropout is nan"),
        (dict(num_classes=3, dropout="half"), "dropout is 'half'"),
    ],
)
def test_bad_heads_are_named_and_the_model_is_left_alone(arguments, message):
    model = build("resnet18")
    with pytest.raises(CourseError, match=message):
        t.replace_head(model, **arguments)
    assert model.fc.out_features == 1000


def test_architectures_that_cannot_be_handled():
    with pytest.raises(CourseError, match=r"VisionTransformerDistilled .*several heads, head, head_dist: choose"):
        t.replace_head(build("timm/deit_tiny_distilled_patch16_224"), 10)
    with pytest.raises(CourseError, match=r"Sequential \(its children: 0, 1\) has no head .*fc or classifier.*: build"):
        find_head(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten()))
    with pytest.raises(CourseError, match=r"EfficientNet .* called classifier .*num_classes above 0"):
        find_head(timm.create_model("tf_efficientnet_lite0", num_classes=0))


def test_resnet50_counts_are_exact():
    model = build("resnet50")
    assert count_parameters(model) == (25_557_032, 25_557_032)
    assert count_parameters(t.freeze(model)) == (0, 25_557_032)
    t.replace_head(model, 10)
    head = 2048 * 256 + 256 + 256 * 10 + 10
    assert head == 527_114 and 25_557_032 - (2048 * 1000 + 1000) + head == 24_035_146
    assert count_parameters(model) == (527_114, 24_035_146)


def source_unfreeze_layers(model, num_layers):
    """The source lesson's definition, word for word."""
    layers = list(model.children())
    for param in model.parameters():
        param.requires_grad = False
    for layer in layers[-num_layers:]:
        for param in layer.parameters():
            param.requires_grad = True


def trainable(model):
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_unfreeze_layers_is_the_source_lessons():
    model = t.replace_head(build("resnet50"), 10)
    for num_layers in range(1, 11):
        source_unfreeze_layers(model, num_layers)
        expected = trainable(model)
        t.unfreeze_layers(model, num_layers)
        assert trainable(model) == expected
    assert t.unfreeze_layers(model, 3) == [("layer4", 14_964_736), ("avgpool", 0), ("fc", 527_114)]
    assert t.unfreeze_layers(model, 0) == [] and trainable(model) == set()
    source_unfreeze_layers(model, 0)  # what ours does not copy: layers[-0:] is every layer
    assert len(trainable(model)) == len(list(model.parameters()))


@pytest.mark.parametrize("unfreeze", [t.unfreeze_layers, t.unfreeze_groups])
@pytest.mark.parametrize("count", [-1, 11, 1.0, "1", None, True])
def test_bad_numbers_to_unfreeze(unfreeze, count):
    model = build("resnet18")
    limit = {"unfreeze_layers": 10, "unfreeze_groups": 6}[unfreeze.__name__]
    with pytest.raises(CourseError, match=re.escape(f" is {count!r}, and must be a whole number, 0 to {limit}")):
        unfreeze(model, count)
    assert len(trainable(model)) == len(list(model.parameters()))


def train_steps(model, set_mode, steps=3):
    """Train with an optimiser that knows every parameter; return the names of the tensors that changed."""
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(steps):
        set_mode(model)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.randn(4, 3, 32, 32)), torch.tensor([0, 1, 2, 3])).backward()
        optimizer.step()
    return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


@pytest.mark.parametrize("name", ["resnet18", "timm/tf_efficientnet_lite0"])
def test_frozen_means_frozen(name):
    model = t.replace_head(t.freeze(build(name, "cpu")), 4)
    where = find_head(model)[0]
    head = {name for name in model.state_dict() if name.startswith(f"{where}.")}
    assert train_steps(model, t.train_mode) == head
    moved = train_steps(model, nn.Module.train) - head  # what the test would catch
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert len(moved) == 3 * norms and all(re.search("running_mean|running_var|num_batches", name) for name in moved)


def test_norms_that_are_trained_still_move():
    model = t.replace_head(build("resnet18", "cpu"), 4)
    assert t.unfreeze_groups(model, 2) == ["layer4", "fc"]
    unfrozen = {name for name in model.state_dict() if name.startswith(("layer4.", "fc."))}
    assert train_steps(model, t.train_mode) == unfrozen
    model.requires_grad_(True)
    assert train_steps(model, t.train_mode) == set(model.state_dict())


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "convnext_atto"])
def test_frozen_features_are_those_of_evaluation(name):
    model = t.replace_head(t.freeze(timm.create_model(name, drop_path_rate=0.5)), 4)
    images = torch.randn(4, 3, 64, 64)
    expected = model.eval().forward_features(images)
    assert not torch.equal(model.train().forward_features(images), expected)
    expected = model.eval().forward_features(images)
    assert torch.equal(t.train_mode(model).forward_features(images), expected)
    assert find_head(model)[1][2].training and not torch.equal(model(images), model(images))  # the head's dropout


def test_train_mode_undoes_itself_and_returns_the_model():
    model = t.freeze(build("resnet18"))
    assert t.train_mode(model) is model and not any(module.training for module in model.modules())
    model.requires_grad_(True)
    assert all(module.training for module in t.train_mode(model).modules())


@pytest.mark.parametrize(("frozen", "training"), [(0, True), (1, False), (2, False)])
def test_norm_without_parameters_stays_put_beside_something_frozen(frozen, training):
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, affine=False), nn.Conv2d(4, 2, 1))
    for layer in [model[0], model[2]][:frozen]:
        t.freeze(layer)
    assert t.train_mode(model)[1].training is training


def test_groups_of_resnet_and_efficientnet():
    resnet = layer_groups(t.replace_head(build("resnet50"), 10))
    assert [name for name, _ in resnet] == ["conv1", "layer1", "layer2", "layer3", "layer4", "fc"]
    assert sum(parameter.numel() for parameter in resnet[0][1]) == 9_408 + 128  # with its batch norm
    model = t.replace_head(build("timm/tf_efficientnet_lite0"), 10)
    names = dict(map(reversed, model.named_parameters()))
    groups = [(name, {names[parameter] for parameter in parameters}) for name, parameters in layer_groups(model)]
    assert [name for name, _ in groups] == ["conv_stem", *(f"blocks.{i}" for i in range(7)), "conv_head", "classifier"]
    assert groups[0][1] == {"conv_stem.weight", "bn1.weight", "bn1.bias"}
    assert groups[-2][1] == {"conv_head.weight", "bn2.weight", "bn2.bias"}
    assert all(part.startswith(f"{name}.") for name, parts in groups[1:-2] for part in parts)


@pytest.mark.parametrize(
    ("name", "head", "group"),
    [
        ("layer3.0.conv1.weight", "fc", "layer3"),
        ("blocks.5.2.bn1.bias", "classifier", "blocks.5"),
        ("classifier.1.weight", "classifier.1", "classifier.1"),
        ("fc.3.bias", "fc", "fc"),
        ("norm.weight", "head", "norm"),
        ("pos_embed", "head", "pos_embed"),
    ],
)
def test_group_of_a_parameter(name, head, group):
    assert group_name(name, head) == group


def test_tokens_and_position_embeddings_go_with_the_input():
    for name, first, tokens in [
        ("vit_b_32", "conv_proj", ["class_token", "encoder.pos_embedding"]),
        ("timm/vit_tiny_patch16_224", "patch_embed.proj", ["cls_token", "pos_embed"]),
    ]:
        model = build(name)
        group, parameters = layer_groups(model)[0]
        members = {id(parameter) for parameter in parameters}
        assert group == first and all(id(model.get_parameter(token)) in members for token in tokens)


def test_unfreeze_groups_counts_from_the_head():
    model = t.replace_head(build("timm/tf_efficientnet_lite0"), 10)
    assert t.unfreeze_groups(model, 0) == [] and trainable(model) == set()
    assert t.unfreeze_groups(model, 1) == ["classifier"] and count_parameters(model)[0] == 330_506
    assert t.unfreeze_groups(model, 2) == ["conv_head", "classifier"] and "bn2.weight" in trainable(model)
    t.unfreeze_groups(model, 10)
    assert len(trainable(model)) == len(list(model.parameters()))


class HeadFirst(nn.Module):
    """A network that defines its head before its body, and a norm after it."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2)
        self.stem = nn.Conv2d(3, 4, 3)
        self.body = nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
        self.norm = nn.BatchNorm2d(4)


def test_the_head_is_the_last_group_wherever_it_is_defined():
    model = HeadFirst()
    groups = layer_groups(model)
    assert [name for name, _ in groups] == ["stem", "body.0", "body.2", "fc"]
    assert sum(len(parameters) for _, parameters in groups) == len(list(model.parameters()))
    assert t.unfreeze_groups(model, 1) == ["fc"] and trainable(model) == {"fc.weight", "fc.bias"}
    t.unfreeze_groups(model, 2)
    assert "norm.weight" in trainable(model), "what follows the last block opens with it"


def test_rates_fall_from_the_head_to_the_input():
    model = build("resnet18")
    groups = t.discriminative_groups(model, 0.01)
    assert [group["name"] for group in groups] == ["conv1", "layer1", "layer2", "layer3", "layer4", "fc"]
    assert [group["lr"] for group in groups] == pytest.approx([0.01 / 2.6**k for k in (5, 4, 3, 2, 1, 0)])
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    assert {group["lr"] for group in t.discriminative_groups(model, 0.01, decay=1)} == {0.01}
    assert [group["lr"] for group in t.discriminative_groups(model, 0.01, decay=0.5)][-2:] == [0.005, 0.01]
    for num_groups in (1, 3):  # unfreezing more leaves the rates of the others as they were
        t.unfreeze_groups(model, num_groups)
        assert [(g["name"], g["lr"]) for g in t.discriminative_groups(model, 0.01)] == [
            (group["name"], group["lr"]) for group in groups[-num_groups:]
        ]
        optimizer = torch.optim.AdamW(t.discriminative_groups(model, 0.01))
        assert {id(p) for group in optimizer.param_groups for p in group["params"]} == {
            id(parameter) for parameter in model.parameters() if parameter.requires_grad
        }


def test_frozen_parameters_are_left_out_one_by_one():
    model = build("resnet18")
    model.bn1.requires_grad_(False)
    assert [len(group["params"]) for group in t.discriminative_groups(model, 0.1)][0] == 1
    with pytest.raises(CourseError, match="ResNet is frozen: unfreeze the head"):
        t.discriminative_groups(t.freeze(model), 0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "learning_rate is 0,.* above 0"),
        ((-1e-3,), "learning_rate is -0.001"),
        (("fast",), "learning_rate is 'fast'"),
        ((float("inf"),), "learning_rate is inf"),
        ((1e-3, 2.6), r"decay is 2.6,.*for 2.6, give 1/2.6"),
        ((1e-3, 0), "decay is 0"),
        ((1e-3, float("nan")), "decay is nan"),
    ],
)
def test_bad_rates(arguments, message):
    with pytest.raises(CourseError, match=message):
        t.discriminative_groups(build("resnet18"), *arguments)


# What was public in ftcourse.transfer before it moved.
MOVED = {
    images: "read_cifar10 open_image list_images list_classes read_image_folder draw split_by_class keep load_images "
    "load_from_hub to_rgb",
    surgery: "find_weights HEAD_NAMES Head is_output_layer find_head check_argument forget_old_classes group_name "
    "layer_groups check_schedule count_parameters",
}


@pytest.mark.parametrize(("home", "names"), MOVED.items(), ids=lambda value: getattr(value, "__name__", "names"))
def test_old_import_paths_work(home, names):
    for name in names.split():
        assert getattr(t, name) is getattr(home, name)
