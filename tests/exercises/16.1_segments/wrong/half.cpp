//@fails best segment | activations, but
//@solution 16.1 best
return std::max(layers / 2, 1);
//@end
