FROM rust:1.95.0
RUN cargo install --locked cargo-nextest@0.9.100
USER 65532:65532
