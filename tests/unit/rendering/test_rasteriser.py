"""The rasteriser draws what the geometry says: areas, depths, who hides whom, windows, nothing behind the camera."""

import numpy as np
import pytest
import trimesh

from cliff_core.errors import GeometryError
from cliff_core.records import Camera
from cliff_core.rendering.rasteriser import Canvas, Viewport, rasterise, vertex_normals

WHITE = 255.0


def sphere(centre, radius=0.5, subdivisions=5):
    """A sphere of 20,480 triangles in the camera frame."""
    mesh = trimesh.creation.icosphere(subdivisions, radius)
    return mesh.vertices + np.asarray(centre, float), mesh.faces


def rectangle(x0, y0, x1, y1, z, towards_camera=True):
    """Two triangles across the optical axis."""
    corners = np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]], float)
    faces = np.array([[0, 3, 2], [0, 2, 1]])
    return corners, faces if towards_camera else faces[:, ::-1]


def white(vertices):
    return np.full(vertices.shape, WHITE)


def test_a_sphere_has_the_area_and_depth_that_geometry_says():
    vertices, faces = sphere((0, 0, 3), radius=0.5)
    raster = rasterise(vertices, faces, white(vertices), (600, 320, 240), (640, 480))
    silhouette_radius_px = 600 * 0.5 / np.sqrt(3**2 - 0.5**2)
    assert (raster.body == 0).sum() == pytest.approx(np.pi * silhouette_radius_px**2, rel=0.003)
    assert raster.depth.min() == pytest.approx(2.5, abs=1e-3)
    # The pixel at column 379, row 239 looks along a ray that meets the sphere at a known depth.
    ray = np.array([(379.5 - 320) / 600, (239.5 - 240) / 600, 1.0])
    a, b, c = ray @ ray, -2 * ray[2] * 3, 9 - 0.25
    assert raster.depth[239, 379] == pytest.approx((-b - np.sqrt(b * b - 4 * a * c)) / (2 * a), abs=1e-3)
    assert np.isinf(raster.depth[0, 0])
    assert raster.body[0, 0] == -1
    assert not raster.rgb[0, 0].any()


def test_every_pixel_whose_centre_lies_in_a_rectangle_is_drawn_and_no_other():
    vertices, faces = rectangle(-0.5, -0.25, 0.5, 0.25, 2.0)
    raster = rasterise(vertices, faces, white(vertices), (100, 40.25, 30.25), (80, 60))
    rows, columns = np.nonzero(raster.body == 0)
    # x from 15.25 to 65.25 px, y from 17.75 to 42.75 px: centres 15.5 to 64.5 and 18.5 to 42.5.
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (15, 64, 18, 42)
    assert len(rows) == 50 * 25


def test_closed_meshes_have_no_holes():
    vertices, faces = sphere((0.2, -0.1, 2.0), subdivisions=4)
    mask = rasterise(vertices, faces, white(vertices), (700, 256, 256), (512, 512)).body == 0
    runs = np.abs(np.diff(mask.astype(int), axis=1)).sum(axis=1)
    assert runs.max() <= 2  # a convex outline is entered and left once per row


def test_colour_and_depth_follow_perspective_across_a_slanted_plane():
    corners = np.array([[-1, -1, 2], [1, -1, 6], [1, 1, 6], [-1, 1, 2]], float)
    faces = np.array([[0, 3, 2], [0, 2, 1]])
    colours = np.zeros((4, 3))
    colours[:, 0] = (0, 250, 250, 0)  # red grows linearly along the plane, not along the screen
    raster = rasterise(corners, faces, colours, (100, 100, 100), (200, 200))
    ray_x = (110.5 - 100) / 100
    along = (2 * ray_x + 1) / (2 - 4 * ray_x)  # where the ray meets x = 2t - 1, z = 4t + 2
    assert raster.depth[100, 110] == pytest.approx(4 * along + 2, rel=1e-5)
    assert raster.rgb[100, 110, 0] == pytest.approx(250 * along, abs=1)


def test_the_nearer_body_hides_the_farther_one_whatever_is_drawn_first():
    far, near = sphere((0, 0, 4)), sphere((0.3, 0, 2), radius=0.2)
    labels = []
    for order in ((far, near), (near, far)):
        canvas = Canvas(Viewport(500, (160, 120), (320, 240)))
        for vertices, faces in order:
            canvas.draw(vertices, faces, white(vertices))
        labels.append(canvas.label.astype(int))
    swapped = np.array([0, 2, 1])[labels[1]]
    assert np.array_equal(labels[0], swapped)
    near_radius_px = 500 * 0.2 / np.sqrt(2**2 + 0.3**2 - 0.2**2)
    assert (labels[0] == 2).sum() == pytest.approx(np.pi * near_radius_px**2, rel=0.05)
    assert labels[0][120, 235] == 2
    assert labels[0][120, 140] == 1


def test_a_person_wholly_behind_another_is_not_seen():
    canvas = Canvas(Viewport(500, (160, 120), (320, 240)))
    wall, faces = rectangle(-1, -1, 1, 1, 2.0)
    hidden, hidden_faces = sphere((0, 0, 3), radius=0.2)
    canvas.draw(wall, faces, white(wall))
    assert canvas.draw(hidden, hidden_faces, white(hidden)) == 1
    assert set(np.unique(canvas.label)) == {1}


def test_a_window_equals_that_part_of_the_full_picture():
    vertices, faces = sphere((0.4, 0.2, 3))
    colours = (vertices - vertices.min(0)) / np.ptp(vertices, axis=0) * 255
    camera, size = (600, 300, 200), (640, 480)
    full = rasterise(vertices, faces, colours, camera, size)
    part = rasterise(vertices, faces, colours, camera, size, window=(260, 130, 200, 220, 1.0))
    assert np.array_equal(part.body, full.body[130:350, 260:460])
    assert np.abs(part.rgb.astype(int) - full.rgb[130:350, 260:460]).max() <= 1
    seen = part.body == 0
    np.testing.assert_allclose(part.depth[seen], full.depth[130:350, 260:460][seen], rtol=1e-5)


def test_a_scaled_window_is_the_same_view_with_more_pixels():
    vertices, faces = sphere((0.4, 0.2, 3))
    camera, size = (600, 300, 200), (640, 480)
    full = rasterise(vertices, faces, white(vertices), camera, size)
    fine = rasterise(vertices, faces, white(vertices), camera, size, window=(260, 130, 200, 220, 4.0))
    assert fine.body.shape == (880, 800)
    covered = (fine.body == 0).reshape(220, 4, 200, 4).mean(axis=(1, 3))
    inside = full.body[130:350, 260:460] == 0
    assert inside[covered == 1].all()
    assert not inside[covered == 0].any()


def test_a_window_may_reach_beyond_the_photo():
    vertices, faces = sphere((0, 0, 3))
    view = Viewport.of_camera(Camera(600, (640, 480))).window(-50, -40, 740, 560, 0.5)
    canvas = Canvas(view)
    canvas.draw(vertices, faces, white(vertices))
    assert canvas.view.size_px == (370, 280)
    ys, xs = np.nonzero(canvas.mask)
    assert (xs.mean() + 0.5, ys.mean() + 0.5) == pytest.approx(((320 + 50) / 2, (240 + 40) / 2), abs=0.05)


def test_points_behind_the_camera_are_cut_off_not_mirrored():
    corners = np.array([[-1, 1, -4], [1, 1, -4], [1, 1, 6], [-1, 1, 6]], float)  # a floor that runs under the camera
    faces = np.array([[0, 2, 1], [0, 3, 2]])
    raster = rasterise(corners, faces, white(corners), (100, 100, 50), (200, 100), cull=False)
    rows, _ = np.nonzero(raster.body == 0)
    assert rows.min() == 67  # y = 1 m at z = 6 m: 50 + 100 / 6 = 66.7 px
    expected_depth = 100 / (np.arange(67, 100) + 0.5 - 50)
    # Two metres wide at every depth, up to one pixel.
    np.testing.assert_allclose((raster.body[67:] == 0).sum(axis=1), 200 / expected_depth, atol=1.0)
    np.testing.assert_allclose(raster.depth[67:, 100], expected_depth, rtol=1e-4)


def test_meshes_behind_the_camera_and_broken_vertices_draw_nothing():
    behind, faces = sphere((0, 0, -3))
    assert (rasterise(behind, faces, white(behind), (600, 320, 240), (640, 480)).body == -1).all()
    broken = np.full((4, 3), np.nan)
    raster = rasterise(broken, np.array([[0, 1, 2], [0, 2, 3]]), np.zeros((4, 3)), (600, 320, 240), (640, 480))
    assert (raster.body == -1).all()
    # One broken vertex takes only its own triangles with it.
    vertices, faces = sphere((0, 0, 3))
    whole = (rasterise(vertices, faces, white(vertices), (600, 320, 240), (640, 480)).body == 0).sum()
    vertices[np.argmin(vertices[:, 2])] = np.inf
    dented = (rasterise(vertices, faces, white(vertices), (600, 320, 240), (640, 480)).body == 0).sum()
    assert whole * 0.99 < dented <= whole


def test_faces_that_look_away_are_culled():
    vertices, faces = rectangle(-1, -1, 1, 1, 3, towards_camera=False)
    assert (rasterise(vertices, faces, white(vertices), (50, 50, 50), (100, 100)).body == -1).all()
    raster = rasterise(vertices, faces, white(vertices), (50, 50, 50), (100, 100), cull=False)
    assert (raster.body == 0).any()


def test_normals_of_a_sphere_point_outwards():
    vertices, faces = sphere((0, 0, 3))
    normals = vertex_normals(vertices, faces)
    outwards = (vertices - (0, 0, 3)) / 0.5
    assert (normals * outwards).sum(axis=1).min() > 0.999
    assert vertex_normals(np.vstack([vertices, [[0, 0, 0]]]), faces)[-1].tolist() == [0, 0, 0]


def test_a_cleared_canvas_draws_like_a_new_one():
    view = Viewport(600, (320, 240), (640, 480))
    canvas = Canvas(view)
    assert canvas.drawn_px == (0, 0, 0, 0)
    vertices, faces = sphere((0.5, 0, 2))
    canvas.draw(vertices, faces, white(vertices))
    canvas.clear()
    assert not canvas.rgb.any()
    assert not canvas.inverse_depth.any()
    assert not canvas.label.any()
    vertices, faces = sphere((-0.5, 0.1, 3))
    canvas.draw(vertices, faces, white(vertices))
    fresh = rasterise(vertices, faces, white(vertices), (600, 320, 240), (640, 480))
    assert np.array_equal(canvas.rgb, fresh.rgb)
    assert np.array_equal(canvas.depth, fresh.depth)
    x0, y0, x1, y1 = canvas.drawn_px
    assert canvas.mask[y0:y1, x0:x1].sum() == canvas.mask.sum() > 0


def test_wrong_input_is_refused_in_words():
    vertices, faces = sphere((0, 0, 3))
    with pytest.raises(GeometryError, match="must both be"):
        rasterise(vertices, faces, np.zeros((3, 3)), (600, 320, 240), (640, 480))
    with pytest.raises(GeometryError, match="the mesh has"):
        rasterise(vertices[:10], faces, white(vertices[:10]), (600, 320, 240), (640, 480))
    with pytest.raises(GeometryError, match="focal length"):
        Viewport(0.0, (0, 0), (10, 10))
    with pytest.raises(GeometryError, match="no pixels"):
        Viewport(100.0, (0, 0), (0, 10))


def test_a_finer_canvas_is_laid_over_a_picture_with_smooth_outlines():
    vertices, faces = sphere((0, 0, 3))
    background = np.full((240, 320, 3), 100, np.uint8)
    canvas = Canvas(Viewport(300, (160, 120), (320, 240)).scaled(4))
    canvas.draw(vertices, faces, white(vertices))
    picture = canvas.over(background)
    coverage = canvas.mask.reshape(240, 4, 320, 4).mean(axis=(1, 3))
    assert np.abs(picture[..., 0] - (100 + 155 * coverage)).max() <= 1.5
    same_size = Canvas(Viewport(300, (160, 120), (320, 240)))
    same_size.draw(vertices, faces, white(vertices))
    assert np.array_equal(np.unique(same_size.over(background)), [100, 255])
    with pytest.raises(GeometryError, match="does not go over"):
        canvas.over(background[:100])
