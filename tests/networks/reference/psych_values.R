# Makes psych_values.json from scale_answers.csv: alpha, omega, item statistics (psych 2.2.9), ICC and r_wg (multilevel
# 2.7), a factor model (lavaan 0.6-14). From this folder:  Rscript psych_values.R
suppressMessages({library(psych); library(multilevel); library(lavaan); library(jsonlite)})

if (!file.exists("scale_answers.csv")) {
  # A made example: 260 respondents in 26 schools, six items from 1 to 5, the third and the sixth worded in reverse, one in
  # twelve answers missing, two correlated scales of three items each.
  set.seed(4127)
  n <- 260; school <- rep(1:26, times = c(rep(10, 20), rep(6, 4), 18, 18))
  f <- rnorm(26)[school] * 0.5 + rnorm(n); g <- 0.6 * f + 0.8 * rnorm(n)
  load <- c(.8, .7, .6, .75, .5, .65)
  x <- sapply(1:6, function(i) 3.2 + load[i] * (if (i <= 3) f else g) + rnorm(n) * 0.7)
  x <- pmin(pmax(round(x), 1), 5)
  x[, c(3, 6)] <- 6 - x[, c(3, 6)]
  holes <- matrix(runif(n * 6) < 1 / 12, n); holes[rowSums(holes) > 3, ] <- FALSE
  x[holes] <- NA
  colnames(x) <- c("item_1", "item_2", "item_3r", "item_4", "item_5", "item_6r")
  write.csv(data.frame(school, x), "scale_answers.csv", row.names = FALSE, na = "", quote = FALSE)
}

d <- read.csv("scale_answers.csv")
items <- names(d)[-1]
d$item_3r <- 6 - d$item_3r; d$item_6r <- 6 - d$item_6r

scale_of <- function(names) {
  x <- d[, names]
  a <- suppressWarnings(psych::alpha(x))
  o <- suppressMessages(suppressWarnings(psych::omega(x, nfactors = 1, plot = FALSE)))
  f <- suppressWarnings(psych::fa(x, 1))
  list(alpha = a$total$raw_alpha, alpha_standardised = a$total$std.alpha,
       alpha_low = unname(unlist(a$feldt$lower.ci)), alpha_high = unname(unlist(a$feldt$upper.ci)),
       mean_correlation = a$total$average_r, omega_total = o$omega.tot, loadings = as.numeric(f$loadings),
       r_drop = a$item.stats$r.drop, r_total = a$item.stats$raw.r, mean = a$item.stats$mean, sd = a$item.stats$sd,
       n = a$item.stats$n,
       alpha_if_dropped = if (length(names) > 2) a$alpha.drop$raw_alpha else NULL)
}

agreement_of <- function(names, rows) {
  x <- d[rows, ]
  score <- rowMeans(x[, names])
  a <- aov(score ~ factor(x$school))
  list(icc1 = multilevel::ICC1(a), icc2 = multilevel::ICC2(a), f = summary(a)[[1]][1, 4], p = summary(a)[[1]][1, 5],
       r_wg_j = multilevel::rwg.j(x[, names], x$school, ranvar = 2)$rwg.j,
       r_wg = multilevel::rwg(x[, names[1]], x$school, ranvar = 2)$rwg)
}

# Equal groups: the first five complete answers of each school that has five.
complete <- complete.cases(d[, items[1:3]])
place <- ave(as.integer(complete), d$school, FUN = cumsum)
full <- names(which(tapply(complete, d$school, sum) >= 5))
equal <- which(complete & place <= 5 & d$school %in% full)

cfa_of <- function(model) {
  fit <- lavaan::cfa(model, data = d[complete.cases(d[, items]), ], std.lv = TRUE, likelihood = "normal")
  m <- fitMeasures(fit)
  p <- standardizedSolution(fit)
  u <- parameterEstimates(fit)
  keep <- p$op == "=~"
  list(n = nobs(fit), chi2 = m[["chisq"]], df = m[["df"]], p = m[["pvalue"]], cfi = m[["cfi"]], tli = m[["tli"]],
       rmsea = m[["rmsea"]], rmsea_low = m[["rmsea.ci.lower"]], rmsea_high = m[["rmsea.ci.upper"]], srmr = m[["srmr"]],
       loadings = p$est.std[keep], loadings_se = p$se[keep], unstandardised = u$est[keep],
       unstandardised_se = u$se[keep],
       correlation = p$est.std[p$op == "~~" & p$lhs == "first" & p$rhs == "second"],
       correlation_se = u$se[u$op == "~~" & u$lhs == "first" & u$rhs == "second"])
}

values <- list(
  versions = list(psych = as.character(packageVersion("psych")), multilevel = as.character(packageVersion("multilevel")),
                  lavaan = as.character(packageVersion("lavaan"))),
  all_six = scale_of(items), first_three = scale_of(items[1:3]), four = scale_of(items[3:6]), pair = scale_of(items[4:5]) |>
    within({omega_total <- NULL; loadings <- NULL}),
  equal_rows = equal, agreement_equal = agreement_of(items[1:3], equal),
  agreement_all = agreement_of(items[1:3], which(complete)),
  two_factors = cfa_of("first =~ item_1 + item_2 + item_3r\nsecond =~ item_4 + item_5 + item_6r"),
  one_factor = cfa_of("first =~ item_1 + item_2 + item_3r + item_4 + item_5 + item_6r")
)
write(toJSON(values, digits = 12, auto_unbox = TRUE, pretty = TRUE), "psych_values.json")
