//@fails forward | gate and up are exchanged
//@solution 07.2 forward
const float* at = x + i / C * 2 * C + i % C;
const float gate = at[C], up = at[0];
y[i] = gate / (1 + expf(-gate)) * up;
//@end
