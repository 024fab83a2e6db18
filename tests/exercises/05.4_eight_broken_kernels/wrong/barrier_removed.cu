//@fails differences | no barrier lies between
//@solution 05.4 differences
//@end
