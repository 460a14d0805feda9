/* What a load showed, for people and for programs. */
#pragma once
#include "bench/load.h"
#include <stdio.h>

void report_write_text(FILE *out, const struct load *load);

/* One JSON object on one line; times in microseconds. */
void report_write_json(FILE *out, const struct load *load);
