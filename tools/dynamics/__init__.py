"""Dynamic textures from the command line: training, and the vectors that engines compare with."""
