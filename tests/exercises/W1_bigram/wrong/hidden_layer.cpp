//@fails one table | a row of V logits for each of V ids
//@solution W1 size
    : table(this, "table", vocab_size, 32) {}
    //@end
