"""What a tensor is: dtype, device, size, storage, the tape's nodes, printing, random streams."""
