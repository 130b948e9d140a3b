"""Panels beside the canvas, one file each: they show what the document says and write through its commands."""
