# Makes growth.csv (a small simulated study of pupils in schools) and growth.json (reference values for the growth models).
# Run in this folder: Rscript growth.R. R 4.2.2, lme4 1.1-31, lmerTest 3.1-3,
# clubSandwich 0.5.8.
suppressMessages(library(lmerTest))
set.seed(42)

schools <- 24
entry <- c(rep(NA, 12), rep(c(2016, 2017), 6))
rows <- list()
for (s in seq_len(schools)) {
  u <- rnorm(1, 0, 0.4)
  slope <- rnorm(1, 0, 0.08)
  for (cohort in 0:2) for (i in 1:10) {
    p <- rnorm(1, 0, 0.6)
    for (k in 0:3) {
      year <- 2014 + cohort + k
      if (year > 2018 || runif(1) < 0.1) next
      e <- year - entry[s]
      effect <- if (is.na(e) || e < 0) 0 else c(0.02, 0.1, 0.2)[min(e, 2) + 1]
      rows[[length(rows) + 1]] <- data.frame(
        school = s, pupil = s * 1000 + cohort * 100 + i, year = year, grade = 3 + k,
        entry_year = entry[s], z = u + slope * (year - 2014) + p + 0.1 * k + effect + rnorm(1, 0, 0.5))
    }
  }
}
data <- do.call(rbind, rows)
data$z <- round(data$z, 6)
write.csv(data, "growth.csv", row.names = FALSE, na = "", quote = FALSE)

indicators <- function(d) {
  e <- d$year - d$entry_year
  d$treated_year_1 <- as.numeric(!is.na(e) & e == 0)
  d$treated_year_2 <- as.numeric(!is.na(e) & e == 1)
  d$treated_year_3 <- as.numeric(!is.na(e) & e >= 2)
  d$arm <- ifelse(is.na(d$entry_year), "comparison", "member")
  d$time <- d$year - 2014
  d
}
# The better of two tight optimisers: lme4's own default sometimes stops early.
best <- function(formula, d) {
  fits <- list(
    lmer(formula, d, control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5))),
    lmer(formula, d, control = lmerControl(optimizer = "nloptwrap",
      optCtrl = list(algorithm = "NLOPT_LN_NELDERMEAD", xtol_abs = 1e-10, ftol_abs = 1e-10, maxeval = 1e5))))
  fits[[which.min(sapply(fits, REMLcrit))]]
}
report <- function(m) {
  table <- summary(m, ddf = "Satterthwaite")$coefficients
  number <- function(x) format(x, digits = 12)
  terms <- sapply(rownames(table), function(t) sprintf(
    '    "%s": {"estimate": %s, "se": %s, "df": %s}', t, number(table[t, 1]), number(table[t, 2]), number(table[t, 3])))
  v <- as.data.frame(VarCorr(m))
  name <- ifelse(is.na(v$var1), v$grp, ifelse(is.na(v$var2), paste0(v$grp, ": ", v$var1), paste0(v$grp, ": covariance")))
  variances <- sprintf('    "%s": %s', name, sapply(v$vcov, number))
  sprintf('{\n  "criterion": %s,\n  "coefficients": {\n%s\n  },\n  "variances": {\n%s\n  }\n}', number(REMLcrit(m)),
    paste(terms, collapse = ",\n"), paste(variances, collapse = ",\n"))
}

pupils <- indicators(data)
three <- best(z ~ factor(year) + factor(grade) + arm + treated_year_1 + treated_year_2 + treated_year_3 +
  (1 + time | school) + (1 | pupil), pupils)
means <- aggregate(z ~ school + year, data, mean)
means$entry_year <- entry[means$school]
two <- best(z ~ factor(year) + arm + treated_year_1 + treated_year_2 + treated_year_3 + (1 + time | school),
  indicators(means))

# Robust to what lies within schools.
robust <- function(m) {
  one <- function(type) {
    t <- as.data.frame(clubSandwich::coef_test(m, vcov = clubSandwich::vcovCR(m, cluster = pupils$school, type = type), test = "Satterthwaite"))
    df <- if ("df_Satt" %in% names(t)) t$df_Satt else t$df
    rows <- sprintf('    "%s": {"se": %.12g, "df": %.12g}', rownames(vcov(m)), t$SE, df)
    sprintf('  "%s": {\n%s\n  }', type, paste(rows, collapse = ",\n"))
  }
  sprintf("{\n%s\n}", paste(sapply(c("CR1", "CR2", "CR3"), one), collapse = ",\n"))
}
# Variances of schools that differ by arm.
pupils$ever_member <- as.numeric(pupils$arm == "member")
pupils$comparison_arm <- 1 - pupils$ever_member
arms <- best(z ~ factor(year) + factor(grade) + arm + treated_year_1 + treated_year_2 + treated_year_3 +
  (0 + comparison_arm | school) + (0 + ever_member | school) + (1 | pupil), pupils)
# Six networks of two member schools, whose level and effect differ by what is added here.
pupils$network <- ifelse(pupils$ever_member == 1, (pupils$school - 13) %/% 2 + 1, 0)
pupils$treated <- pupils$treated_year_1 + pupils$treated_year_2 + pupils$treated_year_3
level <- c(0, 0.3, -0.2, 0.1, -0.3, 0.2, -0.1)
effect <- c(0, 0.2, 0.1, -0.1, 0.25, -0.2, -0.05)
pupils$z <- pupils$z + level[pupils$network + 1] + effect[pupils$network + 1] * pupils$treated
between <- best(z ~ factor(year) + factor(grade) + ever_member + treated +
  (0 + ever_member + treated | network) + (1 | school) + (1 | pupil), pupils)
departures <- ranef(between)$network
departures <- departures[rownames(departures) != "0", ]
parts <- as.data.frame(VarCorr(between))
networks <- sprintf('{\n"fit": %s,\n"departures": [%s],\n"sd_of_effect": %.12g\n}', report(between),
  paste(sprintf("%.12g", departures$treated), collapse = ", "), attr(VarCorr(between)$network, "stddev")[["treated"]])
cat(sprintf('{\n"three_level": %s,\n"two_level": %s,\n"robust": %s,\n"arms": %s,\n"networks": %s\n}\n', report(three), report(two),
  robust(three), report(arms), networks), file = "growth.json")
