"""Parts of building the sample: rendered people whose bodies are known exactly, in photos that `make demo` works on.

Order of the parts, driven by `../sample.py`:

1. `materials`: surfaces of grass, brick, planks ..., from CC0 pictures and from noise.
2. `places`: rooms, courts, parks and streets made of rectangles, each with its sky and its light.
3. `stage`: what a camera sees of a place, per pixel, and the light and the shadows there.
4. `people`: bodies dressed by the training wardrobe, posed, and put on the ground or on a seat.
5. `shots`: the photos, chosen by hand: camera, place, who stands where and does what.
6. `marks`: what a person would annotate: boxes, points, which points are hidden.

World frame: metres, y up, the ground at y = 0; the camera stands above the origin and looks towards -z, so that whoever
faces +z faces the camera. Colours are linear light (1.0 = white under full light) unless a name says sRGB.
"""
