"""How synthetic people look: one import for clothes, light, backgrounds, things in front and the camera's faults.

A crop is made in this order, each step drawing from the same generator, so that a seed gives the same picture in
every process:

    outfit = wardrobe.outfit(rng)                          # colours, thickness of cloth
    shade = light(normals, rng, vertices)                  # factors for the colours
    canvas.draw(vertices, faces, outfit.vertex_rgb * shade)
    rgb = canvas.over(backgrounds.patch(rng, width, height))
    rgb = add_occluders(rng, rgb, backgrounds, mask)
    rgb = degrade(rng, rgb, person_scale)
"""

from cliff_core.synthetic.backgrounds import Backgrounds
from cliff_core.synthetic.camera_effects import add_occluders, degrade
from cliff_core.synthetic.lighting import light
from cliff_core.synthetic.scenes import scene
from cliff_core.synthetic.wardrobe import Outfit, Wardrobe

__all__ = ["Backgrounds", "Outfit", "Wardrobe", "add_occluders", "degrade", "light", "scene"]
