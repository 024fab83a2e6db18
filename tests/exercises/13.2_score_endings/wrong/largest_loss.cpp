//@fails choices | the ending with the largest loss
//@solution 13.2 choice
namespace {

bool is_right(const Item& item, const ItemLosses& losses, double EndingLoss::*loss) {
  const auto smaller = [=](const EndingLoss& a, const EndingLoss& b) { return a.*loss < b.*loss; };
  return std::max_element(losses.begin(), losses.end(), smaller) - losses.begin() == item.label;
}

}  // namespace
//@end
