//@fails another model | the two models are the same
//@solution E4 make
return make_baseline();
//@end
