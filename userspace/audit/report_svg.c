/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>

#include "audit/report_svg.h"
#include "audit/show.h"

/* Units of the picture; the page scales it to its width. */
#define PLOT_WIDTH  720.0
#define PLOT_HEIGHT 150.0
#define PLOT_LEFT   48.0
#define PLOT_TOP    12.0
#define AXIS_HEIGHT 22.0
#define BAR_WIDTH   110.0
#define BAR_HEIGHT  9.0
#define KIND_HEIGHT 26.0
#define SEEN_MIN    2.0 /* a single denial among a million is still to be seen */

/* From the bottom of a bar up. */
static const enum verdict stack[] = {VERDICT_ALLOW, VERDICT_FLAG, VERDICT_ASK, VERDICT_DENY};

static uint64_t bucket_total(const json_t *bucket)
{
	const json_t *verdicts = json_object_get(bucket, "by_verdict");
	uint64_t n = 0;

	for (int v = 0; v < _VERDICT_MAX; v++)
		n += reader_u64(verdicts, verdict_name((enum verdict)v));
	return n;
}

static void add_rect(const char *class, double x, double y, double width, double height,
		     struct strbuf *out)
{
	strbuf_add_fmt(out,
		       "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
		       class, x, y, width, height);
}

static void begin(double width, double height, const char *title, struct strbuf *out)
{
	strbuf_add_fmt(out,
		       "<svg class=\"plot\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
		       "aria-label=\"%s\"><title>%s</title>",
		       width, height, title, title);
}

static void add_label(double x, double y, const char *anchor, const char *text, struct strbuf *out)
{
	strbuf_add_fmt(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>", x, y,
		       anchor, text);
}

static void add_line(const char *class, double x1, double y1, double x2, double y2,
		     struct strbuf *out)
{
	strbuf_add_fmt(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>",
		       class, x1, y1, x2, y2);
}

static void add_time_axis(const json_t *timeline, struct strbuf *out)
{
	size_t n = json_array_size(json_object_get(timeline, "buckets"));
	struct strbuf text = STRBUF_INIT(64);
	double y = PLOT_TOP + PLOT_HEIGHT;

	add_line("axis", PLOT_LEFT, y, PLOT_WIDTH, y, out);
	show_date(reader_u64(timeline, "start_ns"), &text);
	add_label(PLOT_LEFT, y + AXIS_HEIGHT - 7, "start", strbuf_str(&text), out);
	strbuf_reset(&text);
	strbuf_add_char(&text, '+');
	show_duration(reader_u64(timeline, "bucket_ns") * n, &text);
	add_label(PLOT_WIDTH, y + AXIS_HEIGHT - 7, "end", strbuf_str(&text), out);
	strbuf_fini(&text);
}

/* 1234567 as "1.2M" */
static void add_short(uint64_t n, struct strbuf *out)
{
	static const struct {
		uint64_t unit;
		const char *suffix;
	} units[] = {{UINT64_C(1000000000), "G"}, {1000000, "M"}, {1000, "k"}};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (n >= units[i].unit) {
			strbuf_add_fmt(out, "%.1f%s", (double)n / (double)units[i].unit,
				       units[i].suffix);
			return;
		}
	strbuf_add_u64(out, n);
}

static void add_height_axis(const char *most, struct strbuf *out)
{
	add_line("grid", PLOT_LEFT, PLOT_TOP, PLOT_WIDTH, PLOT_TOP, out);
	add_label(PLOT_LEFT - 6, PLOT_TOP + 4, "end", most, out);
	add_label(PLOT_LEFT - 6, PLOT_TOP + PLOT_HEIGHT + 4, "end", "0", out);
}

static void add_time_bar(const json_t *bucket, uint64_t most, double x, double width,
			 struct strbuf *out)
{
	const json_t *verdicts = json_object_get(bucket, "by_verdict");
	double y = PLOT_TOP + PLOT_HEIGHT;

	for (size_t i = 0; i < ARRAY_SIZE(stack); i++) {
		uint64_t n = reader_u64(verdicts, verdict_name(stack[i]));
		double height = (double)n / (double)most * PLOT_HEIGHT;

		if (!n)
			continue;
		height = MAX(height, SEEN_MIN);
		y = MAX(y - height, 0.0);
		add_rect(verdict_name(stack[i]), x, y, width, height, out);
	}
}

void svg_timeline(const json_t *report, struct strbuf *out)
{
	const json_t *timeline = json_object_get(report, "timeline");
	const json_t *buckets = json_object_get(timeline, "buckets");
	size_t n = json_array_size(buckets);
	struct strbuf text = STRBUF_INIT(64);
	uint64_t most = 1;
	double step;

	for (size_t i = 0; i < n; i++)
		most = MAX(most, bucket_total(json_array_get(buckets, i)));
	step = (PLOT_WIDTH - PLOT_LEFT) / (double)MAX(n, (size_t)1);
	begin(PLOT_WIDTH, PLOT_TOP + PLOT_HEIGHT + AXIS_HEIGHT,
	      "Decisions over time; the numbers are in the table below", out);
	add_short(most, &text);
	add_height_axis(strbuf_str(&text), out);
	for (size_t i = 0; i < n; i++)
		add_time_bar(json_array_get(buckets, i), most, PLOT_LEFT + step * (double)i,
			     MAX(MIN(step * 0.9, 40.0), 1.0), out);
	add_time_axis(timeline, out);
	strbuf_add_str(out, "</svg>");
	strbuf_fini(&text);
}

static uint64_t kind_total(const json_t *report, enum action_kind kind)
{
	const json_t *verdicts = json_object_get(json_object_get(report, "kinds"), kind_name(kind));
	uint64_t n = 0;

	for (int v = 0; v < _VERDICT_MAX; v++)
		n += reader_u64(verdicts, verdict_name((enum verdict)v));
	return n;
}

static void add_kind(const json_t *report, enum action_kind kind, uint64_t most, double y,
		     struct strbuf *out)
{
	const json_t *verdicts = json_object_get(json_object_get(report, "kinds"), kind_name(kind));
	double left = PLOT_LEFT + 40, x = left, whole = PLOT_WIDTH - left - 60;
	struct strbuf text = STRBUF_INIT(64);

	add_label(left - 8, y + 16, "end", kind_name(kind), out);
	for (size_t i = 0; i < ARRAY_SIZE(stack); i++) {
		uint64_t n = reader_u64(verdicts, verdict_name(stack[i]));
		double width = MAX((double)n / (double)most * whole, SEEN_MIN);

		if (!n)
			continue;
		add_rect(verdict_name(stack[i]), x, y + 4, width, KIND_HEIGHT - 8, out);
		x += width;
	}
	add_short(kind_total(report, kind), &text);
	add_label(x + 6, y + 16, "start", strbuf_str(&text), out);
	strbuf_fini(&text);
}

void svg_kinds(const json_t *report, struct strbuf *out)
{
	uint64_t most = 1;
	double y = 0;
	int rows = 0;

	for (int k = 0; k < _KIND_MAX; k++) {
		most = MAX(most, kind_total(report, (enum action_kind)k));
		rows += kind_total(report, (enum action_kind)k) > 0;
	}
	begin(PLOT_WIDTH, KIND_HEIGHT * MAX(rows, 1),
	      "Decisions by kind and verdict; the numbers are in the table below", out);
	for (int k = 0; k < _KIND_MAX; k++) {
		if (!kind_total(report, (enum action_kind)k))
			continue;
		add_kind(report, (enum action_kind)k, most, y, out);
		y += KIND_HEIGHT;
	}
	strbuf_add_str(out, "</svg>");
}

void svg_spend(const json_t *report, struct strbuf *out)
{
	const json_t *timeline = json_object_get(report, "timeline");
	const json_t *buckets = json_object_get(timeline, "buckets");
	double budget = json_number_value(json_object_get(report, "budget"));
	size_t n = json_array_size(buckets);
	double sum = 0, most = 0, step;
	struct strbuf text = STRBUF_INIT(64);

	for (size_t i = 0; i < n; i++)
		most += json_number_value(json_object_get(json_array_get(buckets, i), "cost"));
	most = MAX(most, budget);
	if (!(most > 0) || !isfinite(most)) {
		strbuf_fini(&text);
		return;
	}
	step = (PLOT_WIDTH - PLOT_LEFT) / (double)MAX(n, (size_t)1);
	begin(PLOT_WIDTH, PLOT_TOP + PLOT_HEIGHT + AXIS_HEIGHT,
	      "Money spent over time; the sums are in the table below", out);
	strbuf_add_fmt(&text, "%.2f", most);
	add_height_axis(strbuf_str(&text), out);
	strbuf_add_fmt(out, "<polyline class=\"money\" points=\"%.1f,%.1f", PLOT_LEFT,
		       PLOT_TOP + PLOT_HEIGHT);
	for (size_t i = 0; i < n; i++) {
		sum += json_number_value(json_object_get(json_array_get(buckets, i), "cost"));
		strbuf_add_fmt(out, " %.1f,%.1f", PLOT_LEFT + step * (double)(i + 1),
			       PLOT_TOP + PLOT_HEIGHT * (1 - sum / most));
	}
	strbuf_add_str(out, "\"/>");
	if (budget > 0)
		add_line("limit", PLOT_LEFT, PLOT_TOP + PLOT_HEIGHT * (1 - budget / most),
			 PLOT_WIDTH, PLOT_TOP + PLOT_HEIGHT * (1 - budget / most), out);
	add_time_axis(timeline, out);
	strbuf_add_str(out, "</svg>");
	strbuf_fini(&text);
}

void svg_bar(uint64_t part, uint64_t denied, uint64_t whole, struct strbuf *out)
{
	double scale = BAR_WIDTH / (double)MAX(whole, UINT64_C(1));
	double red = (double)MIN(denied, part) * scale;
	double rest = (double)(part - MIN(denied, part)) * scale;

	strbuf_add_fmt(
		out,
		"<svg class=\"bar\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" "
		"aria-hidden=\"true\">",
		BAR_WIDTH, BAR_HEIGHT, BAR_WIDTH, BAR_HEIGHT);
	if (rest > 0)
		add_rect("allow", 0, 0, MAX(rest, SEEN_MIN), BAR_HEIGHT, out);
	if (red > 0)
		add_rect("deny", rest, 0, MAX(red, SEEN_MIN), BAR_HEIGHT, out);
	strbuf_add_str(out, "</svg>");
}
