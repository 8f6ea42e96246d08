diesel::table! {
    orders (id) {
        id -> BigInt,
    }
}
