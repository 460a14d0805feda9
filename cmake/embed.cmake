# Writes INPUT as the C array NAME (with a final NUL that NAME_len does not count) to OUTPUT.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "#include <stddef.h>
extern const char ${NAME}[];
extern const size_t ${NAME}_len;
const char ${NAME}[] = {\n${bytes}0x00};
const size_t ${NAME}_len = sizeof ${NAME} - 1;
")
