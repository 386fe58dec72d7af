// Package country knows the countries of ISO 3166-1. The HTTP edges of the services import it, and
// the packages beside it; see package codes for why the domain does not.
//
// The list is the 249 officially assigned alpha-2 codes of the ISO 3166 Maintenance Agency's Online
// Browsing Platform, as of November 2026; the last code was added in 2011 (SS). A table of ours is
// used because golang.org/x/text/language reports more than the standard: user-assigned and
// reserved codes of CLDR, such as XK, AC and EA, are countries there. The tests compare both.
package country

import (
	"errors"
	"strings"
)

const alpha2 = " AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ" +
	" BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ" +
	" CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ" +
	" DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR" +
	" GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY" +
	" HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP" +
	" KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY" +
	" MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ" +
	" NA NC NE NF NG NI NL NO NP NR NU NZ OM" +
	" PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW" +
	" SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ" +
	" TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ" +
	" UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW "

// Check returns an error unless code is an officially assigned alpha-2 code.
func Check(code string) error {
	if !Known(code) {
		return errors.New("must be a country code of ISO 3166-1, such as FR")
	}
	return nil
}

// Known reports whether code is an officially assigned alpha-2 code, in capital letters.
func Known(code string) bool {
	return len(code) == 2 && !strings.Contains(code, " ") && strings.Contains(alpha2, " "+code+" ")
}
