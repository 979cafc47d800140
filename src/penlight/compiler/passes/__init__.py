"""Graph to graph, graph to kernels: one pass a file, one public function each, in this order.

`simplify`  algebra of views: products flattened, views moved behind elementwise work
`layout`    how each value lies in memory; copies where a view asks for what strides cannot express
`fuse`      values gathered into groups, one kernel each
`schedule`  groups in an order, with barriers; one arena for all memory
"""
