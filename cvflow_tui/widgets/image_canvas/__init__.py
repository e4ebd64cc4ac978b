"""The picture canvas: `canvas.ImageCanvas` to annotate on, `still.PictureView` to look at, `headless.render_to_ansi` without an app."""
