"""Programs over arrays become machine code. Knows no tensor and no op of torch.

In the order of data flow: `ir` (what a program is), `passes` (made simpler, fused, laid out in
memory), `kernels` (one family of loops a page, each a *spec* that writes LLVM IR through `emit`),
`code` (spec -> machine code through `llvm`, kept on disk by `cache`, made in the `background`),
`runtime` (how Python enters; its threads are the `pool`).
"""
