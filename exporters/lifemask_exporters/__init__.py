"""Turns avatars into files of other formats; one module per format.

The SDK finds these modules by the entry-point group `lifemask.exporters`; they know the avatar
package and head geometry, and nothing in the SDK imports them by name.
"""
