//@fails only_losses_averaged | your test passes a faulty version: the gradients are never averaged
//@solution 12.2
//@end
//@solution 12.2 check
return check_first_loss();
//@end
