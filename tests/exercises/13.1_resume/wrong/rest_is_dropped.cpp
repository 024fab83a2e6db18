//@fails end of an epoch | the rest of an epoch is dropped
//@solution 13.1 next
if (state_.position + settings_.B * settings_.world > rows(state_.epoch)) state_ = {state_.epoch + 1, 0};
const int64_t B = settings_.B;
for (int64_t b = 0; b < B; ++b) batch.push_back(read(after(state_, settings_.rank * B + b)));
state_ = after(state_, settings_.B * settings_.world);
//@end
