"""How scans become one honest timeline: vocabulary, merging, number recognition. Pure."""
