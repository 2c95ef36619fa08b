# Reference values of R for linear mixed models: lme4, lmerTest (Satterthwaite), pbkrtest (Kenward-Roger),
# clubSandwich (CR0 to CR3), profile intervals.
# Usage: Rscript make_reference.R made data > made_values.json
#        Rscript make_reference.R public folder > public_values.json   (writes mlmRev's data sets as CSV to the folder)
# The formulas are those the tests give to plneval.multilevel: C(x) is a factor here as there.
# Estimates are the best of two optimisers with tight tolerances, each from two starting values: lme4's default one
# stops above the minimum in a good number of singular cases.
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(clubSandwich); library(jsonlite)})
arguments <- commandArgs(trailingOnly = TRUE)
kind <- arguments[1]
folder <- arguments[2]
C <- function(x) factor(x)
invisible(Sys.setlocale("LC_COLLATE", "C"))

best_fit <- function(formula, data, reml, weights) {
  # Functions that fit again (lmerTest, profiles) look the data up by name.
  data$.w <- if (is.null(weights)) 1 else data[[weights]]
  assign(".frame", data, envir = globalenv())
  environment(formula) <- globalenv()
  call <- function(control, start = NULL) {
    given <- list(formula, quote(.frame), REML = reml, control = control, start = start)
    if (!is.null(weights)) given$weights <- quote(.w)
    suppressMessages(suppressWarnings(do.call(lme4::lmer, given)))
  }
  nlopt <- lmerControl("nloptwrap", optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-13, xtol_rel = 1e-12, ftol_rel = 1e-16, maxeval = 1e5),
                       calc.derivs = FALSE, check.conv.singular = "ignore")
  bobyqa <- lmerControl("bobyqa", optCtrl = list(rhobeg = 0.2, rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE,
                        check.conv.singular = "ignore")
  fits <- list(call(nlopt), call(bobyqa))
  half <- getME(fits[[1]], "theta")
  half[] <- ifelse(getME(fits[[1]], "lower") == 0, 0.4, 0.1)
  fits <- c(fits, list(call(nlopt, half), call(bobyqa, half)))
  of <- function(fit) if (reml) REMLcrit(fit) else deviance(fit)
  at <- getME(fits[[which.min(sapply(fits, of))]], "theta")
  fits <- c(fits, list(call(bobyqa, at), call(nlopt, at)))
  fits[[which.min(sapply(fits, of))]]
}

number <- function(x) as.vector(unname(x))
rows_of <- function(x) lapply(seq_len(nrow(x)), function(i) number(x[i, ]))

robust <- function(fit, cluster) {
  out <- list(cluster = cluster$name)
  for (type in c("CR0", "CR1", "CR2", "CR3")) {
    found <- tryCatch({
      v <- vcovCR(fit, cluster = cluster$values, type = type)
      t <- coef_test(fit, vcov = v, test = "Satterthwaite")
      list(se = number(t$SE), df = number(if ("df_Satt" %in% names(t)) t$df_Satt else t$df))
    }, error = function(e) { message(type, ": ", conditionMessage(e)); NULL })
    if (!is.null(found)) out[[type]] <- found
  }
  out
}

predictions <- function(fit, at_most = 12) {
  effects <- ranef(fit, condVar = TRUE)
  out <- lapply(names(effects), function(group) {
    e <- effects[[group]]
    condition <- attr(e, "postVar")
    blocks <- if (is.list(condition)) condition else list(condition)
    keep <- seq_len(min(at_most, nrow(e)))
    se <- do.call(cbind, lapply(blocks, function(b) t(apply(b, 3, function(m) sqrt(diag(as.matrix(m)))))))
    if (ncol(se) != ncol(e)) se <- matrix(unlist(lapply(blocks, function(b) sqrt(apply(b, 3, diag)))), ncol = ncol(e))
    list(labels = rownames(e)[keep], names = names(e), values = rows_of(as.matrix(e[keep, , drop = FALSE])),
         se = rows_of(se[keep, , drop = FALSE]), sum_of_squares = number(colSums(as.matrix(e)^2)))
  })
  names(out) <- names(effects)
  out
}

variance_shares <- function(fit) {
  X <- getME(fit, "X")
  fixed <- var(as.vector(X %*% fixef(fit)))
  parts <- VarCorr(fit)
  frame <- model.frame(fit)
  random <- sapply(seq_along(parts), function(i) {
    Z <- t(as.matrix(getME(fit, "mmList")[[i]]))
    mean(colSums(Z * (parts[[i]] %*% Z)))
  })
  residual <- sigma(fit)^2
  list(fixed = fixed, random = number(random), residual = residual,
       r2_marginal = fixed / (fixed + sum(random) + residual),
       r2_conditional = (fixed + sum(random)) / (fixed + sum(random) + residual))
}

case <- function(name, study, text, reml = TRUE, weights = NULL, cluster = NULL, kr = FALSE, profile = FALSE,
                 satterthwaite = TRUE, shares = FALSE, data = studies[[study]]) {
  message(format(Sys.time(), "%H:%M:%S"), " ", name)
  fit <- best_fit(as.formula(text), data, reml, weights)
  parts <- as.data.frame(VarCorr(fit))
  X <- getME(fit, "X")
  out <- list(
    name = name, study = study, formula = text, reml = reml, weights = weights, n = nobs(fit), groups = as.list(ngrps(fit)),
    criterion = if (reml) REMLcrit(fit) else deviance(fit), theta = number(getME(fit, "theta")),
    theta_names = names(getME(fit, "theta")), lower = number(getME(fit, "lower")), singular = isSingular(fit, 1e-5),
    names = colnames(X), beta = number(fixef(fit)), se = number(sqrt(diag(as.matrix(vcov(fit))))),
    vcov = rows_of(as.matrix(vcov(fit))), sigma = sigma(fit), log_likelihood = as.numeric(logLik(fit)), aic = AIC(fit), bic = BIC(fit),
    variance = list(group = parts$grp, name1 = parts$var1, name2 = parts$var2, vcov = parts$vcov, sdcor = parts$sdcor),
    fitted = number(head(fitted(fit), 10)), residual_sum_of_squares = sum(resid(fit)^2),
    fixed_part = number(head(predict(fit, re.form = NA), 10)), random_effects = predictions(fit))
  # Bad starting points show what a criterion is worth away from its minimum.
  start <- getME(fit, "theta")
  devfun <- suppressMessages(suppressWarnings(update(fit, devFunOnly = TRUE)))
  points <- list(rep(1, length(start)) * (getME(fit, "lower") == 0), seq(0.9, 0.2, length.out = length(start)))
  out$criterion_at <- lapply(points, function(p) list(theta = number(p), criterion = devfun(p)))
  if (shares) out$shares <- variance_shares(fit)
  if (satterthwaite) {
    lt <- tryCatch(as_lmerModLmerTest(fit), error = function(e) { message(conditionMessage(e)); NULL })
    if (!is.null(lt)) {
      s <- coef(summary(lt))
      out$satterthwaite <- list(df = number(s[, "df"]), t = number(s[, "t value"]), p = number(s[, "Pr(>|t|)"]))
      if (ncol(X) > 2) {
        L <- c(rep(0, ncol(X) - 2), 1, -1)
        k <- contest1D(lt, L)
        out$contrast <- list(weights = L, estimate = k[["Estimate"]], se = k[["Std. Error"]], df = k[["df"]], p = k[["Pr(>|t|)"]])
      }
    }
  }
  if (kr && reml) {
    V0 <- vcov(fit)
    Va <- vcovAdj(fit)
    df <- sapply(seq_len(ncol(X)), function(i) Lb_ddf(as.numeric(seq_len(ncol(X)) == i), V0, Va))
    out$kenward_roger <- list(df = number(df), vcov = rows_of(as.matrix(Va)))
  }
  if (!is.null(cluster)) out$robust <- robust(fit, list(name = cluster, values = data[[cluster]]))
  if (profile) {
    p <- suppressWarnings(confint(lme4:::profile.merMod(fit, which = "theta_"), oldNames = FALSE, level = 0.95))
    out$profile <- list(names = rownames(p), low = number(p[, 1]), high = number(p[, 2]))
  }
  saved[[name]] <<- fit
  cases[[length(cases) + 1]] <<- out
}

comparison <- function(larger, smaller, refit) {
  a <- suppressMessages(anova(saved[[smaller]], saved[[larger]], refit = refit))
  list(larger = larger, smaller = smaller, refit = refit, chi_squared = a$Chisq[2], df = a$Df[2], p = a[["Pr(>Chisq)"]][2])
}

saved <- list()
cases <- list()
comparisons <- list()
if (kind == "made") {
  files <- list.files(folder, "[.]csv$", full.names = TRUE)
  studies <- lapply(files, read.csv, stringsAsFactors = TRUE)
  studies <- lapply(studies, function(d) {
    for (group in intersect(names(d), c("area", "network", "school", "pupil", "primary", "secondary"))) d[[group]] <- factor(d[[group]])
    d
  })
  names(studies) <- sub("[.]csv$", "", basename(files))
  case("intercepts", "growth", "score ~ year*sex + (1|pupil) + (1|school)", cluster = "school", kr = TRUE, profile = TRUE, shares = TRUE)
  case("slopes", "growth", "score ~ year*treated + sex + (year|pupil) + (year|school)", cluster = "school", kr = TRUE, profile = TRUE, shares = TRUE)
  case("slopes_ml", "growth", "score ~ year*treated + sex + (year|pupil) + (year|school)", reml = FALSE, cluster = "school")
  case("slopes_smaller_ml", "growth", "score ~ year + sex + (year|pupil) + (year|school)", reml = FALSE)
  case("pupil_slope", "growth", "score ~ year*treated + sex + (year|pupil) + (1|school)", kr = TRUE)
  case("uncorrelated", "growth", "score ~ year + (year||pupil) + (year||school)", kr = TRUE, cluster = "school")
  case("slope_without_intercept", "growth", "score ~ year + (1|pupil) + (0 + year|school)", kr = TRUE)
  case("two_terms_of_a_group", "growth", "score ~ year + (1|pupil) + (1|school) + (0 + year|school)")
  case("category_slopes", "growth", "score ~ year + sex + (1|pupil) + (sex|school)", kr = TRUE)
  case("category_cells", "growth", "score ~ year + sex + (1|pupil) + (0 + sex|school)")
  case("factor_of_numbers", "growth", "score ~ C(year)*treated + (1|school/pupil)", kr = TRUE, shares = TRUE)
  case("weights", "growth", "score ~ year*sex + (year|pupil) + (1|school)", weights = "weight")  # pbkrtest ignores prior weights
  case("weights_ml", "growth", "score ~ year + (1|school)", weights = "weight", reml = FALSE)
  case("no_intercept", "growth", "score ~ 0 + sex + sex:year + (1|school/pupil)")
  case("four_levels", "four_levels", "score ~ year + (1|area) + (1|network) + (1|network:school) + (1|network:school:pupil)", cluster = "area", kr = TRUE)
  case("four_levels_slopes", "four_levels", "score ~ year + (1|area) + (year|network) + (1|network:school) + (year|network:school:pupil)", cluster = "area")
  case("recurring_ids", "four_levels", "score ~ year + (1|network/school/pupil)", cluster = "network", profile = TRUE)
  case("singular_intercept", "singular", "score ~ year + (1|pupil) + (1|school)", kr = TRUE, satterthwaite = FALSE)
  case("singular_slope", "singular", "score ~ year + (year|pupil) + (1|school)", satterthwaite = FALSE)
  case("singular_slopes", "singular", "score ~ year + (year|pupil) + (year|school)", satterthwaite = FALSE)
  case("movers", "movers", "score ~ year + (1|pupil) + (1|school)", kr = TRUE)
  case("movers_slopes", "movers", "score ~ year + (1|pupil) + (year|school)")
  case("continuous_times", "continuous", "score ~ x*time + (time|pupil) + (time|school)", cluster = "school", kr = TRUE)
  case("classes", "classes", "score ~ prior + C(grade) + sector*sex + (1|school)", cluster = "school", kr = TRUE, profile = TRUE, shares = TRUE)
  case("classes_slope", "classes", "score ~ prior + C(grade) + sector + sex + (prior|school)", cluster = "school")
  case("classes_transforms", "classes", "score ~ scale(prior) + I(scale(prior)^2) + log(prior) + sex + (scale(prior)|school)", cluster = "school",
       satterthwaite = FALSE)  # lmerTest's steps are too small for a theta of 0.0015: two fits differ in the third digit
  case("random_cells", "classes", "score ~ prior + (0 + sex|school)")
  case("crossed", "crossed", "score ~ x + (1|primary) + (1|secondary)", kr = TRUE, profile = TRUE)
  comparisons <- list(comparison("slopes_ml", "slopes_smaller_ml", FALSE), comparison("slopes", "pupil_slope", FALSE))
} else {
  suppressMessages(library(mlmRev))
  studies <- list()
  for (name in c("egsingle", "star", "Exam", "Hsb82", "Chem97", "ScotsSec")) {
    holder <- new.env()
    data(list = name, package = "mlmRev", envir = holder)
    frame <- get(name, holder)
    # Categories as plain text, and ordered ones too: treatment coding by sorted text.
    for (column in names(frame)) if (is.factor(frame[[column]])) frame[[column]] <- as.character(frame[[column]])
    write.csv(frame, file.path(folder, paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
    studies[[name]] <- read.csv(file.path(folder, paste0(name, ".csv")), stringsAsFactors = TRUE, na.strings = "NA",
                                colClasses = if (name == "star") c(gr = "character") else NA)
    if (name == "star") studies[[name]]$gr <- factor(studies[[name]]$gr)
  }
  case("egsingle", "egsingle", "math ~ year*female + (year|childid) + (1|schoolid)", cluster = "schoolid", kr = TRUE)
  case("egsingle_slopes", "egsingle", "math ~ year*lowinc + (year|childid) + (year|schoolid)", cluster = "schoolid")
  case("egsingle_ml", "egsingle", "math ~ year*female + (year|childid) + (1|schoolid)", reml = FALSE)
  case("exam", "Exam", "normexam ~ standLRT + (standLRT|school)", cluster = "school", kr = TRUE, profile = TRUE)
  case("exam_more", "Exam", "normexam ~ standLRT*sex + schgend + (standLRT|school)", cluster = "school", kr = TRUE)
  case("hsb82", "Hsb82", "mAch ~ meanses + cses + sector + sector:cses + meanses:cses + (cses|school)", cluster = "school", kr = TRUE)
  case("chem97", "Chem97", "score ~ gcsecnt*gender + (1|lea/school)", cluster = "lea")
  case("chem97_slopes", "Chem97", "score ~ gcsecnt + gender + age + (1|lea) + (gcsecnt|lea:school)", satterthwaite = FALSE)
  case("scotssec", "ScotsSec", "attain ~ sex + verbal + (1|primary) + (1|second)", kr = TRUE)
  case("star", "star", "math ~ gr + cltype + sx + ses + (1|sch/id)", satterthwaite = TRUE)
  case("star_crossed", "star", "math ~ gr + cltype + ses + (1|id) + (1|sch)")
  case("star_teachers", "star", "math ~ gr + sx + eth + cltype + (yrs|id) + (1|tch) + (yrs|sch)", satterthwaite = FALSE)
}
versions <- lapply(c(R = "base", lme4 = "lme4", lmerTest = "lmerTest", pbkrtest = "pbkrtest", clubSandwich = "clubSandwich"),
                   function(p) as.character(packageVersion(p)))
json <- function(x) toJSON(x, digits = NA, auto_unbox = TRUE, null = "null", na = "null")
cat("{\"versions\":", json(versions), ",\"cases\":[\n", paste(sapply(cases, json), collapse = ",\n"), "\n],\"comparisons\":", json(comparisons), "}\n", sep = "")
