//@fails 500 steps | goes on after an overflow
//@solution 06.1 adapt
if (overflow) {
  scale_ = std::max(scale_ * options_.backoff, options_.smallest);
} else if (++good_steps_ >= options_.interval) {
  scale_ = std::min(scale_ * options_.growth, options_.largest);
  good_steps_ = 0;
}
//@end
