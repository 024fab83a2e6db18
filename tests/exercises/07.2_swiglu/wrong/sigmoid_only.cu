//@fails forward | this is sigmoid(gate) * up
//@solution 07.2 forward
const float* at = x + i / C * 2 * C + i % C;
y[i] = at[C] / (1 + expf(-at[0]));
//@end
