//@fails resume | restore reads
//@solution 13.1 restore
state_ = {};
while (std::pair(state_.epoch, state_.position) < std::pair(state.epoch, state.position)) next_batch();
//@end
