# Everything that the CPU build needs:
#   docker build -t gpt2 . && docker run --rm -it gpt2 ./course run
FROM debian:12
WORKDIR /gpt2
COPY . .
RUN ./course run 01 -- --steps 1 && rm -rf /var/lib/apt/lists/*
CMD ["./course", "run"]
