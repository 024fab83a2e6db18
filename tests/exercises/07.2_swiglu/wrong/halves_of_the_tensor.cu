//@fails forward | each row has its own C gates
//@solution 07.2 forward
const float gate = x[i], up = x[rows * C + i];
y[i] = gate / (1 + expf(-gate)) * up;
//@end
