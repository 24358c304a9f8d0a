# make SAN=1: AddressSanitizer and UndefinedBehaviorSanitizer.
BUILD   := build-san
CFLAGS  += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -DSALLYPORT_SAN
LDFLAGS += -fsanitize=address,undefined
