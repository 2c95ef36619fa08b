# Reference values of R's clubSandwich 0.5.8 for the linear estimators: CR2 and CR3 with Satterthwaite's df.
# Usage: Rscript linear_values.R folder-with-panel.csv-and-pupils.csv > clubsandwich_values.csv
# CR2: all unit and period dummies written out. CR3: unit means subtracted (with the dummies written out its residual
# matrices are singular). With weights the working variances are their inverses.
suppressMessages(library(clubSandwich))
folder <- commandArgs(trailingOnly = TRUE)[1]
panel <- read.csv(file.path(folder, "panel.csv"))
pupils <- read.csv(file.path(folder, "pupils.csv"))

demean <- function(x, w, by) x - ave(w * x, by, FUN = sum) / ave(w, by, FUN = sum)

values <- function(name, data, y, x, unit, cluster, w) {
  weighted <- !is.null(w)
  weight <- if (weighted) w else rep(1, nrow(data))
  times <- model.matrix(~ factor(data$year))[, -1]
  design <- cbind(x, times)
  units <- model.matrix(~ 0 + factor(unit))
  full <- lm(y ~ 0 + design + units, weights = weight)
  within <- apply(design, 2, demean, w = weight, by = unit)
  y_within <- demean(y, weight, unit)
  absorbed <- lm(y_within ~ 0 + within, weights = weight)
  for (type in c("CR2", "CR3")) {
    model <- if (type == "CR2") full else absorbed
    v <- if (weighted) vcovCR(model, cluster, type, target = 1 / weight, inverse_var = TRUE) else vcovCR(model, cluster, type)
    t <- coef_test(model, vcov = v, test = "Satterthwaite", coefs = seq_len(ncol(x)))
    df <- if ("df_Satt" %in% names(t)) t$df_Satt else t$df
    for (i in seq_len(ncol(x)))
      cat(paste(name, type, colnames(x)[i], sprintf("%.17g,%.17g,%.17g", t$beta[i], t$SE[i], df[i]), sep = ","), "\n", sep = "")
  }
}

cat("case,type,term,estimate,se,df\n")
d <- panel
treated <- cbind(treated = as.numeric(d$entry > 0 & d$year >= d$entry))
values("twfe", d, d$y, treated, d$unit, d$unit, NULL)
values("twfe_cluster", d, d$y, treated, d$unit, d$network, NULL)
values("twfe_weights", d, d$y, treated, d$unit, d$network, d$w_varying)
values("twfe_covariate", d, d$y, cbind(treated, x = d$x), d$unit, d$network, NULL)
event <- ifelse(d$entry > 0, d$year - d$entry, -1)
keys <- setdiff(sort(unique(event)), -1)
dummies <- sapply(keys, function(k) as.numeric(event == k))
colnames(dummies) <- paste0("e", keys)
values("event_study", d, d$y, dummies, d$unit, d$unit, NULL)
p <- pupils
treated <- cbind(treated = as.numeric(p$entry > 0 & p$year >= p$entry))
values("rows", p, p$y, treated, p$school, p$school, NULL)
values("rows_covariates", p, p$y, cbind(treated, x = p$x, female = p$female), p$school, p$school, NULL)
values("rows_weights", p, p$y, cbind(treated, x = p$x), p$school, p$school, p$w)
