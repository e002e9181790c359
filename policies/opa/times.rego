# Times as attributes hold them: src/permit_core/policy/times.py once more. An instant is [of_day, seconds, nanoseconds]: seconds
# since 1 January of the year 1 in UTC, or since midnight; lists compare as instants do.
package permit

import rego.v1

time_pattern := concat("", [
	`^(?:([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.]([0-9]{1,9}))?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?`,
	`|([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.]([0-9]{1,9}))?)?)$`,
])

# Two instants that can be compared: a time of day is before or after no day.
instants(left, right) := [first, second] if {
	first := instant(left)
	second := instant(right)
	first[0] == second[0]
}

instant(text) := [false, ((days_before(parts) * 86400) + clock[0]) - offset(parts[8]), clock[1]] if {
	parts := time_parts(text)
	parts[1] != ""
	clock := clock_of(array.slice(parts, 4, 8))
}

instant(text) := array.concat([true], clock_of(array.slice(parts, 9, 13))) if {
	parts := time_parts(text)
	parts[1] == ""
}

time_parts(text) := found[0] if {
	is_string(text)
	found := regex.find_all_string_submatch_n(time_pattern, text, 1)
}

# The days from 1 January of the year 1 to a day that exists.
days_before(parts) := (((((year * 365) + floor(year / 4)) - floor(year / 100)) + floor(year / 400)) + before_month) + (day - 1) if {
	calendar_year := digits(parts[1])
	calendar_year > 0
	year := calendar_year - 1
	month := digits(parts[2])
	month > 0
	day := digits(parts[3])
	day > 0
	lengths := month_lengths(calendar_year)
	day <= lengths[month - 1]
	before_month := sum(array.slice(lengths, 0, month - 1))
}

month_lengths(year) := [31, february(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

february(year) := 29 if {
	year % 4 == 0
	year % 100 != 0
} else := 29 if {
	year % 400 == 0
} else := 28

clock_of(parts) := [((hours * 3600) + (minutes * 60)) + seconds, nanoseconds] if {
	hours := digits(parts[0])
	hours < 24
	minutes := digits(parts[1])
	minutes < 60
	seconds := digits(parts[2])
	seconds < 60
	nanoseconds := digits(substring(concat("", [parts[3], "000000000"]), 0, 9))
}

offset(text) := 0 if lower(text) in {"", "z"}

offset(text) := sign * ((hours * 3600) + (minutes * 60)) if {
	count(text) == 6
	hours := digits(substring(text, 1, 2))
	hours < 24
	minutes := digits(substring(text, 4, 2))
	minutes < 60
	sign := {"+": 1, "-": -1}[substring(text, 0, 1)]
}

# A text of digits, which may begin with zeros, as a number; none is 0.
digits(text) := to_number(concat("", ["1", text])) - to_number(concat("", ["1", zeros])) if {
	zeros := substring("0000000000", 0, count(text))
}
