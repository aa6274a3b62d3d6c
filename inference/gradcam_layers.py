"""Grad-CAM of any layer, by gradients, through pytorch-grad-cam.

Apart from `gradcam.py`, so that a worker, which shows the last block, does not load what the library brings.
"""

import torch
from pytorch_grad_cam import GradCAM
from torch import Tensor, nn

from inference.gradcam import Explained, NoClosedForm
from inference.resnet import ResNet


class NoSuchLayer(ValueError):
    """The layer is not of this network, or its output is no map of places."""


def layer_map(network: ResNet, layer: nn.Module, images: Tensor) -> Tensor:
    """Images (n, 1, rows, columns) to signed maps for PIMA (n, rows, columns of the layer).

    In closed form where that holds, else by gradients. Puts the network into evaluation mode.
    """
    try:
        explained = Explained(network.eval(), layer)
    except NoClosedForm:
        return gradient_map(network, layer, images)
    with torch.inference_mode():
        maps: Tensor = explained(images)[1]
    return maps


def gradient_map(network: ResNet, layer: nn.Module, images: Tensor) -> Tensor:
    """The same for every layer, by a backward pass: the mean gradient of the logit weighs each channel.

    pytorch-grad-cam's own call would cut negative evidence, scale each image by itself and enlarge it.
    """
    if all(layer is not module for module in network.modules()):
        raise NoSuchLayer(f"{type(layer).__name__} is not a layer of this network")
    with GradCAM(model=network, target_layers=[layer]) as cam, torch.enable_grad():
        cam.activations_and_grads(images).sum().backward()
        activations = list(cam.activations_and_grads.activations)
        gradients = list(cam.activations_and_grads.gradients)
    network.zero_grad()
    if len(activations) != 1 or activations[0].ndim != 4:
        raise NoSuchLayer(f"{type(layer).__name__} gives no map of places, once per image")
    maps = cam.get_cam_image(images, layer, [], activations[0], gradients[0].numpy())
    return torch.from_numpy(maps)
